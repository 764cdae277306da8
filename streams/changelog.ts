import { RheoError } from '../schemas/errors.ts'
import { topicName } from '../schemas/topics.ts'
import {
  type Change,
  checkpointRecord,
  deleteRecord,
  type LoggedCheckpoint,
  putRecord,
  readChange,
} from './changelog-record.ts'
import type { EventLog, NewRecord, TaskWriter } from './event-log/event-log.ts'
import type { StatePart, StatePut, TaskState } from './state/state-store.ts'
import type { Topology } from './topology.ts'

/** One commit carries about so much. */
const PART_BYTES = 512 * 1_024
/** And one part of a restore: what the log holds twice within it is written once. */
const RESTORED_BYTES = 64 * 1_048_576
/** What a record costs besides its value, as bytes. */
const RECORD_BYTES = 100
const FETCH = { maxRecords: 4_000, maxBytes: 4 * 1_048_576 }
/** A store that lags further behind than this may have missed deletes: longer than any outage from which one goes on. */
const TOMBSTONES_MS = 30 * 86_400_000
const MAX_STATE_BYTES = 64 * 1_048_576

/** The topology with its state written down in the log: for state stores that can be lost while the log stays. */
export function withChangelog(topology: Topology): Topology {
  const name = topicName(topology.scenario, 'state')
  const spec = { name, partitions: topology.partitions, cleanup: 'compact', retentionMs: TOMBSTONES_MS } as const
  return { ...topology, changelog: name, topics: [...topology.topics, { ...spec, maxRecordBytes: MAX_STATE_BYTES }] }
}

export interface ChangelogOptions {
  readonly log: EventLog
  readonly topic: string
  readonly task: number
  /** The task's own: only who holds the task writes its changelog. */
  readonly writer: TaskWriter
  /** Processing time, ms: the timestamp of records. */
  readonly clock: () => number
  /** What a store does not give back with a value: when it expires, and what others may read of it. */
  readonly complete: (put: StatePut) => StatePut
}

/**
 * Every flush of a task, written down in the log before it reaches the state store: a compacted topic, one record per
 * key of state. So a state store is a cache. When it was emptied, or put back to an older copy, what it lacks is read from
 * here, and only what came after is folded again from the stages' topics, which are kept no longer than before.
 *
 * A flush has an id, which grows from flush to flush and is at most the offset of its first record. It counts once the
 * group's position on this topic is its id, which the commit of its last part sets. Keys of a flush that never got so far
 * are written once more by the next one, as they are in the store.
 *
 * Compaction must leave a flush alone until the next one counts (Kafka: `min.compaction.lag.ms`), lest it put states that
 * do not count yet in the place of those that do.
 */
export class Changelog {
  readonly #options: ChangelogOptions
  /** The id of the last flush that counts; -1: there is none. */
  #last: bigint
  /** The id of the flush being written. */
  #open: bigint | null = null
  /** Keys that a flush of a former holder has written, which never counted. */
  #torn: Map<string, Change>

  private constructor(options: ChangelogOptions, last: bigint, torn: Map<string, Change>) {
    this.#options = options
    this.#last = last
    this.#torn = torn
  }

  /**
   * Brings a state store that has just been acquired to the last flush that counts, and returns it so that every flush is
   * written down from now on. Reads what the store lacks, and the last flush: small, unless the store was lost.
   */
  static async over(store: TaskState, options: ChangelogOptions): Promise<TaskState> {
    const { writer, topic, task } = options
    const last = (await writer.committed(topic, task)) ?? -1n
    const stored = store.positions.get(topic) ?? -1n
    if (stored < 0n && last < 0n && store.positions.size > 0) {
      throw new RheoError(
        'STORAGE_CORRUPT',
        `The state of task ${task} was stored without being written to ${topic}.`,
        {
          hint: 'Put back the log that belongs to this state store, or start over with an empty store and a new log.',
        },
      )
    }
    if (stored < last) await restore(store, options, stored, last)
    const changelog = new Changelog(options, last, await findTorn(options, last))
    return {
      ...store,
      positions: store.positions,
      async stage(part) {
        await changelog.#write(part)
        await store.stage(part)
      },
      async flush(changes) {
        const id = await changelog.#write(changes, { ...changes, store })
        await store.flush({ ...changes, positions: new Map([...changes.positions, [topic, id]]) })
      },
    }
  }

  /** `ends`: the part is its flush's last. Returns the flush's id. */
  async #write(part: StatePart, ends: (LoggedCheckpoint & { readonly store: TaskState }) | null = null) {
    const { log, topic, task, clock } = this.#options
    if (this.#open === null) {
      const { end } = await log.bounds(topic, task)
      this.#open = end > this.#last ? end : this.#last + 1n
    }
    const id = this.#open
    const timestampMs = clock()
    const records: NewRecord[] = []
    for (const { table, key } of part.deletes) records.push(deleteRecord(table, key, id, timestampMs))
    for (const put of part.puts) records.push(putRecord(put, id, timestampMs))
    if (this.#torn.size > 0) {
      for (const { table, key } of [...part.deletes, ...part.puts]) this.#torn.delete(JSON.stringify([table, key]))
    }
    if (ends !== null) {
      for (const record of await this.#mended(ends.store, id, timestampMs)) records.push(record)
      records.push(checkpointRecord(ends, id, timestampMs))
    }
    await this.#commit(records, ends === null ? null : id)
    if (ends !== null) {
      this.#last = id
      this.#open = null
      this.#torn.clear()
    }
    return id
  }

  /** The keys of a torn flush that this one has not written, as they are in the store. */
  async #mended(store: TaskState, id: bigint, timestampMs: number): Promise<NewRecord[]> {
    const records: NewRecord[] = []
    const tables = new Map<string, string[]>()
    for (const change of this.#torn.values()) {
      if (change.kind === 'checkpoint') continue
      const { table, key } = change.kind === 'put' ? change.put : change
      const keys = tables.get(table)
      if (keys === undefined) tables.set(table, [key])
      else keys.push(key)
    }
    for (const [table, keys] of tables) {
      const values = await store.load(table, keys)
      keys.forEach((key, i) => {
        const value = values[i]
        if (value === undefined) records.push(deleteRecord(table, key, id, timestampMs))
        else {
          const put = this.#options.complete({ table, key, value, expiresAtMs: null })
          records.push(putRecord(put, id, timestampMs))
        }
      })
    }
    return records
  }

  async #commit(records: readonly NewRecord[], ended: bigint | null): Promise<void> {
    const { writer, topic, task } = this.#options
    for (let from = 0; from < records.length; ) {
      let until = from
      for (let bytes = 0; until < records.length && bytes < PART_BYTES; until++)
        bytes += RECORD_BYTES + ((records[until]!.value as Uint8Array | null)?.byteLength ?? 0)
      const isLast = until === records.length && ended !== null
      await writer.commit({
        appends: [{ topic, partition: task, records: records.slice(from, until) }],
        positions: isLast ? [{ topic, partition: task, next: ended }] : [],
      })
      from = until
    }
  }
}

/** Applies the flushes after `stored` up to `last`. Interrupted, it is done again: the store's position moves at the end. */
async function restore(store: TaskState, options: ChangelogOptions, stored: bigint, last: bigint): Promise<void> {
  const { topic, task, complete } = options
  let changes = new Map<string, Change>()
  let bytes = 0
  let checkpoint: LoggedCheckpoint | null = null
  const taken = (): Pick<StatePart, 'puts' | 'deletes'> => {
    const part = { puts: [] as StatePut[], deletes: [] as { table: string; key: string }[] }
    for (const change of changes.values()) {
      if (change.kind === 'put') part.puts.push(complete(change.put))
      if (change.kind === 'delete') part.deletes.push({ table: change.table, key: change.key })
    }
    changes = new Map()
    bytes = 0
    return part
  }
  for await (const change of changesFrom(options, stored)) {
    if (change.flush <= stored || change.flush > last) continue
    if (change.kind === 'checkpoint') {
      if (change.flush === last) checkpoint = change.checkpoint
      continue
    }
    changes.set(nameOf(change), change)
    bytes += RECORD_BYTES + (change.kind === 'put' ? change.put.value.byteLength : 0)
    if (bytes >= RESTORED_BYTES)
      await store.flush({ ...taken(), positions: new Map(), watermarkMs: Number.NEGATIVE_INFINITY })
  }
  if (checkpoint === null) {
    throw new RheoError('STORAGE_CORRUPT', `${topic}/${task} lacks the flush ${last}, which was committed.`, {
      hint: 'The changelog was truncated or written by others: replay into a fresh log and store.',
    })
  }
  const { positions, watermarkMs } = checkpoint
  await store.flush({ ...taken(), positions: new Map([...positions, [topic, last]]), watermarkMs })
}

/** Whatever was written after the last flush that counts: its writer did not live to end it. */
async function findTorn(options: ChangelogOptions, last: bigint): Promise<Map<string, Change>> {
  const torn = new Map<string, Change>()
  for await (const change of changesFrom(options, last)) {
    if (change.flush > last && change.kind !== 'checkpoint') torn.set(nameOf(change), change)
  }
  return torn
}

async function* changesFrom({ log, topic, task }: ChangelogOptions, flush: bigint): AsyncGenerator<Change> {
  const { start, end } = await log.bounds(topic, task)
  for (let next = flush > start ? flush : start; next < end; ) {
    const fetched = await log.fetch(topic, task, next, FETCH)
    for (const record of fetched.records) yield readChange(record)
    if (fetched.next === next) return
    next = fetched.next
  }
}

function nameOf(change: Exclude<Change, { readonly kind: 'checkpoint' }>): string {
  const { table, key } = change.kind === 'put' ? change.put : change
  return JSON.stringify([table, key])
}
