import type {
  EventLog,
  Fetched,
  MaybePromise,
  NewRecord,
  TaskWriter,
  Transaction,
} from '../streams/event-log/event-log.ts'

/** What a log is seen to do, told per call: nothing here runs per record. */
export interface LogWatch {
  /** Records that this process had not been given before. */
  onFetched(topic: string, records: number): void
  /** A task's commit, once it is acknowledged; 'later': it becomes readable with those that it was made together with. */
  onCommitted(transaction: Transaction, seconds: number, readable: 'now' | 'later'): void
  /** Commits made together have become readable; or, as a whole, never were. */
  onTogether(outcome: 'readable' | 'failed'): void
}

/** Where a process reads on in one partition. */
interface Reading {
  /** The next offset to fetch; null before the first fetch. */
  next: bigint | null
  /** What the group had committed when the task was acquired: records before it are restored, not new. */
  committed: bigint
  /** Records up to here were counted. */
  counted: bigint
  /** When a fetch found nothing behind `next`; null: the last one found something. */
  emptyAtMs: number | null
}

/** A log that passes everything on, and where its readers stand. */
export interface ObservedLog {
  readonly log: EventLog
  /**
   * How many offsets this process has yet to read of a partition that ends at `end`; null where it has not read yet. 0 where
   * it has just found nothing: what lies before the end then are markers of transactions.
   */
  unread(topic: string, partition: number, end: bigint): number | null
  /** How many offsets lie between what was read and what was committed before: what is left to restore. */
  toRestore(topic: string, partition: number): number
}

/** Whoever waits for records looks several times as often. */
const JUST_MS = 1_000

/** Watches a log from outside: what was fetched and committed, and how long commits took. */
export function observeLog(log: EventLog, watch: LogWatch): ObservedLog {
  const readings = new Map<string, Reading[]>()
  const readingOf = (topic: string, partition: number): Reading => {
    let partitions = readings.get(topic)
    if (partitions === undefined) {
      partitions = []
      readings.set(topic, partitions)
    }
    partitions[partition] ??= { next: null, committed: 0n, counted: 0n, emptyAtMs: null }
    return partitions[partition]
  }

  const noteFetched = (topic: string, partition: number, fetched: Fetched): Fetched => {
    const { records, next } = fetched
    const reading = readingOf(topic, partition)
    reading.next = next
    reading.emptyAtMs = records.length === 0 ? performance.now() : null
    if (records.length === 0 || next <= reading.counted) return fetched
    const { counted } = reading
    const isAllNew = records[0]!.offset >= counted
    watch.onFetched(topic, isAllNew ? records.length : records.filter(({ offset }) => offset >= counted).length)
    reading.counted = next
    return fetched
  }

  const noteCommitted = (topic: string, partition: number, committed: bigint | undefined): bigint | undefined => {
    if (committed === undefined) return committed
    const reading = readingOf(topic, partition)
    // Another process may have read on from here meanwhile; this one begins anew.
    reading.next = null
    reading.committed = committed
    if (committed > reading.counted) reading.counted = committed
    return committed
  }

  let togethers = 0
  const observeWriter = (writer: TaskWriter): TaskWriter => ({
    commit(transaction) {
      const startMs = performance.now()
      return then(writer.commit(transaction), () =>
        watch.onCommitted(transaction, (performance.now() - startMs) / 1000, togethers > 0 ? 'later' : 'now'),
      )
    },
    committed: (topic, partition) =>
      then(writer.committed(topic, partition), (committed) => noteCommitted(topic, partition, committed)),
  })

  return {
    log: {
      ensureTopics: (topics) => log.ensureTopics(topics),
      topics: () => log.topics(),
      append: (appends) => log.append(appends),
      fetch: (topic, partition, from, limits) => {
        const fetched = log.fetch(topic, partition, from, limits)
        return then(fetched, (found) => noteFetched(topic, partition, found))
      },
      bounds: (topic, partition) => log.bounds(topic, partition),
      offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
      acquire: (group, task) => then(log.acquire(group, task), observeWriter),
      committed: (group, topic, partition) => log.committed(group, topic, partition),
      truncate: (topic, partition, before) => log.truncate(topic, partition, before),
      clean: (nowMs) => log.clean(nowMs),
      async together(work) {
        togethers++
        let outcome: 'readable' | 'failed' = 'failed'
        try {
          const result = await log.together(work)
          outcome = 'readable'
          return result
        } finally {
          togethers--
          watch.onTogether(outcome)
        }
      },
      ...(log.unite === undefined ? {} : { unite: (group, topics) => log.unite!(group, topics) }),
      changed: (timeoutMs) => log.changed(timeoutMs),
      close: () => log.close(),
    },
    unread(topic, partition, end) {
      const { next = null, emptyAtMs = null } = readings.get(topic)?.[partition] ?? {}
      if (next === null) return null
      const hasJustLooked = emptyAtMs !== null && performance.now() - emptyAtMs < JUST_MS
      return hasJustLooked || end <= next ? 0 : Number(end - next)
    },
    toRestore(topic, partition) {
      const reading = readings.get(topic)?.[partition]
      if (reading === undefined || reading.next === null) return 0
      return reading.next < reading.committed ? Number(reading.committed - reading.next) : 0
    },
  }
}

/** The first and the last record that a transaction appends to a topic: a sample that costs the same however many there are. */
export function endsOf({ appends }: Transaction, topic: string): readonly NewRecord[] {
  const ends: NewRecord[] = []
  for (const { topic: to, records } of appends) {
    if (to !== topic || records.length === 0) continue
    ends.push(records[0]!)
    if (records.length > 1) ends.push(records.at(-1)!)
  }
  return ends
}

/** Synchronous answers stay synchronous. */
function then<T, R>(answer: MaybePromise<T>, work: (value: T) => R): MaybePromise<R> {
  return answer instanceof Promise ? answer.then(work) : work(answer)
}
