import type { EventLog, LogRecord } from '../streams/event-log/event-log.ts'

export interface PlacedRecord {
  readonly partition: number
  readonly record: LogRecord
}

const LIMITS = { maxRecords: 500, maxBytes: 4 * 1_048_576 } as const

/** The records of one partition from `from` up to, not including, `to`; memory holds one fetch. */
export async function* readPartition(
  log: EventLog,
  topic: string,
  partition: number,
  from: bigint,
  to: bigint,
): AsyncGenerator<LogRecord> {
  for (let next = from; next < to; ) {
    const fetched = await log.fetch(topic, partition, next, LIMITS)
    for (const record of fetched.records) {
      if (record.offset >= to) return
      yield record
    }
    if (fetched.next === next) return
    next = fetched.next
  }
}

/** All records that a topic holds now, partition after partition. */
export async function* readTopic(log: EventLog, topic: string, partitions: number): AsyncGenerator<PlacedRecord> {
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topic, partition)
    for await (const record of readPartition(log, topic, partition, start, end)) yield { partition, record }
  }
}

/**
 * The newest records of a topic over all its partitions, oldest first: at most `count`, by timestamp, of each partition the
 * last ones. `ends` is where reading goes on.
 */
export async function lastRecords(
  log: EventLog,
  topic: string,
  partitions: number,
  count: number,
): Promise<{ readonly records: readonly PlacedRecord[]; readonly ends: readonly bigint[] }> {
  const bounds = await Promise.all(Array.from({ length: partitions }, (_, partition) => log.bounds(topic, partition)))
  const tails = await Promise.all(
    bounds.map(({ start, end }, partition) => tailOf(log, topic, partition, start, end, count)),
  )
  const records: PlacedRecord[] = []
  while (records.length < count) {
    const left = tails.flatMap((tail, partition) => tail.slice(-1).map((record) => ({ partition, record })))
    if (left.length === 0) break
    const newest = left.reduce((a, b) => (b.record.timestampMs > a.record.timestampMs ? b : a))
    records.unshift(newest)
    tails[newest.partition]!.pop()
  }
  return { records, ends: bounds.map(({ end }) => end) }
}

/** The last records of a partition. Offsets have gaps, so it looks twice as far back until there are enough. */
async function tailOf(
  log: EventLog,
  topic: string,
  partition: number,
  start: bigint,
  end: bigint,
  count: number,
): Promise<LogRecord[]> {
  for (let back = 2n * BigInt(count); ; back *= 2n) {
    const from = end - back > start ? end - back : start
    const tail: LogRecord[] = []
    for await (const record of readPartition(log, topic, partition, from, end)) {
      tail.push(record)
      if (tail.length > count) tail.shift()
    }
    if (tail.length === count || from === start) return tail
  }
}

/**
 * The records of a topic from the given positions on, and those appended while reading, until `signal` aborts or, with
 * `stop` 'at-end', all are read. What one round finds in several partitions is ordered by timestamp.
 */
export async function* follow(
  log: EventLog,
  topic: string,
  positions: readonly bigint[],
  stop: 'at-end' | 'never',
  signal: AbortSignal,
): AsyncGenerator<PlacedRecord> {
  const next = [...positions]
  while (!signal.aborted) {
    const found: PlacedRecord[] = []
    let hasMoved = false
    for (let partition = 0; partition < next.length; partition++) {
      const fetched = await log.fetch(topic, partition, next[partition]!, LIMITS)
      hasMoved ||= fetched.next !== next[partition]
      next[partition] = fetched.next
      for (const record of fetched.records) found.push({ partition, record })
    }
    found.sort((a, b) => a.record.timestampMs - b.record.timestampMs)
    yield* found
    if (hasMoved) continue
    if (stop === 'at-end') return
    await log.changed(250)
  }
}

/** The bytes of a record's value; null is a tombstone. */
export function valueBytes(record: LogRecord): Uint8Array | null {
  const { value } = record
  return value === null || value instanceof Uint8Array ? value : value.bytes()
}
