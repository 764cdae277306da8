import { RheoError } from '../schemas/errors.ts'
import type { EventLog, LogRecord } from '../streams/event-log/event-log.ts'
import type { Admission } from '../streams/replay.ts'
import type { Topology } from '../streams/topology.ts'

/** A stretch of the users' topics of a log, by the records' timestamps: when each arrived. Half-open. */
export interface LogRange {
  readonly log: EventLog
  /** What to call the log in errors and reports: its folder. */
  readonly name: string
  /** null: from the first record on. */
  readonly fromMs: number | null
  /** null: up to what is there now. */
  readonly toMs: number | null
}

const BATCH = 1_024
const FETCH = { maxRecords: 1_000, maxBytes: 16 * 1_048_576 }

/** One partition of a user's topic between two offsets. */
interface Stretch {
  readonly topic: string
  readonly partition: number
  readonly until: bigint
  next: bigint
  records: readonly LogRecord[]
  index: number
}

/**
 * Finds the stretch in every partition of the users' topics. Throws TOPIC_MISSING where the log has none of them, and
 * OFFSET_OUT_OF_RANGE where the range holds no record, or where its beginning is no longer in the log: a replay of what
 * happens to be left would give other results, in silence.
 */
export async function findStretches(range: LogRange, topology: Topology): Promise<readonly Stretch[]> {
  const present = await range.log.topics()
  const stretches: Stretch[] = []
  let anyTopic = false
  for (const { topic } of topology.sources) {
    const partitions = present.get(topic)?.partitions ?? 0
    if (partitions > 0) anyTopic = true
    for (let partition = 0; partition < partitions; partition++) {
      const stretch = await findStretch(range, topic, partition)
      if (stretch.next < stretch.until) stretches.push(stretch)
    }
  }
  if (!anyTopic) {
    throw new RheoError('TOPIC_MISSING', `the log in ${range.name} has none of the topics of ${topology.scenario}`, {
      hint: 'Name another folder with --state, or fill this one with `rheo dev` or `rheo produce`.',
    })
  }
  if (stretches.length === 0) throw await nothingIn(range, topology)
  return stretches
}

async function findStretch({ log, name, fromMs, toMs }: LogRange, topic: string, partition: number): Promise<Stretch> {
  const { start, end } = await log.bounds(topic, partition)
  const from = fromMs === null ? start : await log.offsetAt(topic, partition, fromMs)
  const until = toMs === null ? end : await log.offsetAt(topic, partition, toMs)
  // Everything before `start` is gone. That is well only where a record still there is from before the range.
  if (fromMs !== null && start > 0n && from === start) {
    const first = await log.fetch(topic, partition, start, { maxRecords: 1, maxBytes: 1 })
    const [record] = first.records
    const since = record === undefined ? 'nothing is left' : `its first record is of ${iso(record.timestampMs)}`
    throw new RheoError(
      'OFFSET_OUT_OF_RANGE',
      `the beginning of the range is gone from ${topic} in ${name}: ${since}`,
      {
        hint:
          record === undefined
            ? 'Replay the files again.'
            : `Begin after that, with --from ${iso(record.timestampMs + 1)}`,
      },
    )
  }
  return { topic, partition, until, next: from, records: [], index: 0 }
}

async function nothingIn({ log, name, fromMs, toMs }: LogRange, topology: Topology): Promise<RheoError> {
  const present = await log.topics()
  let firstMs = Number.POSITIVE_INFINITY
  let lastMs = Number.NEGATIVE_INFINITY
  for (const { topic } of topology.sources) {
    for (let partition = 0; partition < (present.get(topic)?.partitions ?? 0); partition++) {
      const { start, end } = await log.bounds(topic, partition)
      for (const offset of start === end ? [] : [start, end - 1n]) {
        const { records } = await log.fetch(topic, partition, offset, { maxRecords: 1, maxBytes: 1 })
        for (const { timestampMs } of records) {
          firstMs = Math.min(firstMs, timestampMs)
          lastMs = Math.max(lastMs, timestampMs)
        }
      }
    }
  }
  const bounds = `${fromMs === null ? 'the beginning' : iso(fromMs)} and ${toMs === null ? 'now' : iso(toMs)}`
  return new RheoError('OFFSET_OUT_OF_RANGE', `the log in ${name} has no record between ${bounds}`, {
    hint: Number.isFinite(firstMs)
      ? `Its records are from ${iso(firstMs)} to ${iso(lastMs)}; the time is that of arrival.`
      : 'Its topics are empty.',
  })
}

/**
 * The records of all stretches in the order of their arrival, at equal times in the order of topics and partitions, with the
 * bytes, keys and headers that they came with. A record with a timestamp before one that stands before it in its
 * partition is admitted with that one.
 */
export async function* logAdmissions(
  { log, fromMs, toMs }: LogRange,
  stretches: readonly Stretch[],
): AsyncGenerator<readonly Admission[]> {
  let batch: Admission[] = []
  let clockMs = fromMs ?? Number.NEGATIVE_INFINITY
  for (;;) {
    let first: { stretch: Stretch; record: LogRecord } | null = null
    for (const stretch of stretches) {
      const record = await peek(log, stretch)
      if (record === null) continue
      if (first === null || record.timestampMs < first.record.timestampMs) first = { stretch, record }
    }
    if (first === null) break
    const { stretch, record } = first
    stretch.index++
    if (record.timestampMs < (fromMs ?? -Infinity) || record.timestampMs >= (toMs ?? Infinity)) continue
    clockMs = Math.max(clockMs, record.timestampMs)
    batch.push(admissionOf(record, stretch, clockMs))
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}

/** The stretch's next record; null at its end. */
async function peek(log: EventLog, stretch: Stretch): Promise<LogRecord | null> {
  while (stretch.index === stretch.records.length) {
    if (stretch.next >= stretch.until) return null
    const fetched = await log.fetch(stretch.topic, stretch.partition, stretch.next, FETCH)
    if (fetched.next === stretch.next) return null
    stretch.records = fetched.records.filter(({ offset }) => offset < stretch.until)
    stretch.next = fetched.next
    stretch.index = 0
  }
  return stretch.records[stretch.index]!
}

function admissionOf({ key, value, headers }: LogRecord, { topic }: Stretch, atMs: number): Admission {
  const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
  return { atMs, topic, key: key === null ? null : Buffer.from(key).toString('utf8'), value: bytes, headers }
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
