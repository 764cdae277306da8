import { RheoError } from '../../schemas/errors.ts'
import type { EventLog, LogRecord, NewRecord, TopicSpec } from '../../streams/event-log/event-log.ts'

/** One adapter under the contract: a fresh log, and what can be done to it from outside. */
export interface LogUnderTest {
  readonly log: EventLog
  /** A second handle on the same log, as another process would have; needed for 'several handles'. */
  readonly another?: () => Promise<EventLog>
  /** Whether `clean` drops and compacts when called, or leaves it to the servers' own time. */
  readonly cleaning: 'when called' | 'by the servers'
  /** Whether a lazy value's size counts: the memory log never encodes one. */
  readonly lazySizes: 'counted' | 'unknown'
  /**
   * 'per task': `together` is a transaction per task (Kafka): what is inside cannot be read before its end, and
   * truncation is not undone. Default: one transaction in all.
   */
  readonly together?: 'per task'
  readonly close: () => Promise<void>
}

export const TOPIC = 'events'

export function topicSpec(more: Partial<TopicSpec> = {}): TopicSpec {
  return { name: TOPIC, partitions: 2, cleanup: 'delete', retentionMs: null, maxRecordBytes: 100_000, ...more }
}

export function record(value: string | null, more: Partial<NewRecord> = {}): NewRecord {
  return { key: null, value: value === null ? null : Buffer.from(value), timestampMs: 0, ...more }
}

export function keyed(key: string, value: string | null, timestampMs = 0): NewRecord {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), timestampMs }
}

/** Everything of a partition from `from` on, fetched in steps of `maxRecords`. */
export async function readAll(
  log: EventLog,
  topic = TOPIC,
  partition = 0,
  from?: bigint,
  maxRecords = 100,
): Promise<LogRecord[]> {
  const { start, end } = await log.bounds(topic, partition)
  const records: LogRecord[] = []
  let next = from ?? start
  while (next < end) {
    const fetched = await log.fetch(topic, partition, next, { maxRecords, maxBytes: 1 << 20 })
    if (fetched.next <= next) throw new Error(`fetch at ${next} of ${end} does not move on`)
    records.push(...fetched.records)
    next = fetched.next
  }
  return records
}

export function bytesOf(value: LogRecord['value']): Uint8Array | null {
  return value === null || value instanceof Uint8Array ? value : value.bytes()
}

export function text(value: LogRecord['value']): string | null {
  const bytes = bytesOf(value)
  return bytes === null ? null : Buffer.from(bytes).toString()
}

export async function values(log: EventLog, topic = TOPIC, partition = 0): Promise<(string | null)[]> {
  return (await readAll(log, topic, partition)).map((found) => text(found.value))
}

/** The code of the RheoError that `work` fails with; fails when it does not. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof RheoError) return error.code
    throw error
  }
  throw new Error('expected an error')
}
