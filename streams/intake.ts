import type { Origin } from '../processors/step.ts'
import { type Rejection, reject } from '../schemas/rejection.ts'
import { toDeadLetter } from './dead-letter.ts'
import type { EventLog, LogRecord, Position } from './event-log/event-log.ts'
import { headerText } from './event-log/headers.ts'
import type { Outbox } from './outbox.ts'
import type { Source, Topology } from './topology.ts'

/** A source partition being read: what was fetched and is not folded yet. */
interface Reader {
  readonly source: Source
  records: readonly LogRecord[]
  index: number
  /** The latest timestamp among the records: they need not be in order of time, and all of them can be folded up to here. */
  latestMs: number
  /** Records known to lie behind those, which are not at hand yet. */
  left: number
  /** The next offset to fetch. */
  next: bigint
  /** The last fetch of this turn came back full: there may be more. */
  more: boolean
}

/**
 * The first stage: reads one partition of each of the users' topics, merged by the records' timestamps, and turns every
 * record into an event on its way or a dead letter. Its only state is how far event time has come.
 */
export class Intake {
  watermarkMs = Number.NEGATIVE_INFINITY
  /** Records read from the sources that drive event time. */
  timedRecords = 0
  /** How far the newest event time was behind its record's arrival; null: none has come. */
  behindMs: number | null = null
  readonly #topology: Topology
  readonly #partition: number
  readonly #log: EventLog
  readonly #readers: readonly Reader[]
  readonly #traces: boolean
  #origin: Origin = { arrivedMs: Number.NaN, traceparent: null, hops: [] }

  /** @param traces whether entries are told whence they came (`Origin`). */
  constructor(topology: Topology, partition: number, log: EventLog, traces: boolean) {
    this.#traces = traces
    this.#topology = topology
    this.#partition = partition
    this.#log = log
    this.#readers = topology.sources.map((source) => ({
      source,
      records: [],
      index: 0,
      latestMs: NEVER_MS,
      left: 0,
      next: 0n,
      more: true,
    }))
  }

  seek(topic: string, next: bigint): void {
    const reader = this.#readers.find(({ source }) => source.topic === topic)
    if (reader !== undefined) Object.assign(reader, { records: [], index: 0, next, more: true })
  }

  /** How far what is at hand reaches, by the records' timestamps, where that is a backlog; else Infinity. */
  async reachMs(limit: number): Promise<number> {
    let reachMs = Number.POSITIVE_INFINITY
    for (const reader of this.#readers) {
      if (reader.index === reader.records.length) await this.#fetch(reader, limit, null)
      if (isBehind(reader, limit)) reachMs = Math.min(reachMs, reader.latestMs)
    }
    return reachMs
  }

  /** Whether records are left that the last batch had to leave: what else may have come was not there when it was read. */
  hasBacklog(limit: number): boolean {
    return this.#readers.some((reader) => reader.index < reader.records.length || isBehind(reader, limit))
  }

  /**
   * Folds up to `limit` records, in the order of their timestamps, none later than `throughMs`; `until` bounds each topic
   * while recovering. Returns how many.
   */
  async fold(
    limit: number,
    outbox: Outbox,
    until: ReadonlyMap<string, bigint> | null,
    throughMs = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    for (const reader of this.#readers) reader.more = true
    for (let folded = 0; ; folded++) {
      if (folded === limit) return folded
      let first: Reader | null = null
      for (const reader of this.#readers) {
        if (reader.more && reader.index === reader.records.length) await this.#fetch(reader, limit, until)
        const record = reader.records[reader.index]
        if (record === undefined || record.timestampMs > throughMs) continue
        if (first === null || record.timestampMs < first.records[first.index]!.timestampMs) first = reader
      }
      if (first === null) return folded
      const record = first.records[first.index++]!
      const bytes = bytesOf(record)
      // A promise per record would cost more than the rest of it.
      const prepared = bytes === null ? undefined : first.source.codec.prepare(bytes)
      if (prepared !== undefined) await prepared
      this.#foldRecord(first.source, record, bytes, outbox)
    }
  }

  /** Where the group goes on after what was folded. */
  positions(): Position[] {
    return this.#readers.map((reader) => {
      const record = reader.records[reader.index]
      return { topic: reader.source.topic, partition: this.#partition, next: record?.offset ?? reader.next }
    })
  }

  async #fetch(reader: Reader, limit: number, until: ReadonlyMap<string, bigint> | null): Promise<void> {
    const { topic } = reader.source
    const end = until?.get(topic)
    reader.more = false
    if (until !== null && (end === undefined || reader.next >= end)) return
    const fetched = await this.#log.fetch(topic, this.#partition, reader.next, {
      maxRecords: limit,
      maxBytes: FETCH_BYTES,
    })
    if (end === undefined || fetched.next <= end) {
      reader.records = fetched.records
      reader.next = fetched.next
    } else {
      reader.records = fetched.records.filter(({ offset }) => offset < end)
      reader.next = end
    }
    reader.left = fetched.left ?? 0
    // While nothing is at hand, what is behind comes after what came last.
    if (reader.records.length > 0)
      reader.latestMs = reader.records.reduce((latest, { timestampMs }) => Math.max(latest, timestampMs), NEVER_MS)
    reader.index = 0
    reader.more = fetched.records.length >= Math.min(limit, FEW_RECORDS)
  }

  #foldRecord(source: Source, record: LogRecord, bytes: Uint8Array | null, outbox: Outbox): void {
    outbox.counts.records++
    if (source.watermark === 'advances') this.timedRecords++
    const decoded = source.codec.decode(bytes)
    if ('kind' in decoded && decoded.kind === 'rejected') {
      this.#reject(source, record, decoded as Rejection, outbox)
      return
    }
    if ('kind' in decoded && decoded.kind === 'deleted') {
      count(outbox, 'deleted', source)
      return
    }
    const event = decoded as object
    const eventTimeMs = source.eventTimeMs(event)
    if (eventTimeMs > record.timestampMs + this.#topology.maxFutureMs) {
      const ahead = `event time ${new Date(eventTimeMs).toISOString()} is ahead of ${new Date(record.timestampMs).toISOString()}`
      this.#reject(source, record, reject('TIME_IN_FUTURE', ahead, 'eventTime'), outbox)
      return
    }
    if (source.watermark === 'advances' && eventTimeMs > this.watermarkMs) {
      this.watermarkMs = eventTimeMs
      this.behindMs = Math.max(0, record.timestampMs - eventTimeMs)
    }
    outbox.watermarkMs = this.watermarkMs
    if (this.#traces) outbox.origin = this.#originOf(record)
    source.route(event, eventTimeMs, outbox)
    outbox.announce()
  }

  #originOf({ timestampMs, headers }: LogRecord): Origin {
    const traceparent = headerText(headers, 'traceparent') ?? null
    const last = this.#origin
    if (last.arrivedMs !== timestampMs || last.traceparent !== traceparent)
      this.#origin = { arrivedMs: timestampMs, traceparent, hops: [] }
    return this.#origin
  }

  #reject(source: Source, record: LogRecord, rejection: Rejection, outbox: Outbox): void {
    count(outbox, 'rejected', source)
    const letter = toDeadLetter(record, source.topic, this.#partition, rejection, 'intake')
    outbox.record(source.dlqTopic, this.#partition, letter)
  }
}

/** In all, and by the kind of event. */
function count({ counts }: Outbox, what: 'deleted' | 'rejected', { kind }: Source): void {
  counts[what]++
  const ofKind = `${what}.${kind}`
  counts[ofKind] = (counts[ofKind] ?? 0) + 1
}

/** Records at hand of more than so much of their time are a backlog. */
const TOGETHER_MS = 2_000
const NEVER_MS = Number.NEGATIVE_INFINITY
const FETCH_BYTES = 8 * 1_048_576
/** So few of the largest records fit into one fetch: when fewer came, no more were there. */
const FEW_RECORDS = 8

function bytesOf({ value }: LogRecord): Uint8Array | null {
  return value === null || value instanceof Uint8Array ? value : value.bytes()
}

/**
 * Whether there are more records than are at hand, or those at hand came over more than a pass or two: where event time meets
 * in a later stage, it is time that has to stay together, however few records it takes.
 */
function isBehind({ records, index, latestMs, left }: Reader, limit: number): boolean {
  const next = records[index]
  return left > 0 || records.length >= limit || (next !== undefined && latestMs - next.timestampMs > TOGETHER_MS)
}
