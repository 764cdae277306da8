import type { Appends, NewRecord, TopicSpec } from './event-log.ts'
import { NO_HEADERS } from './headers.ts'
import type { PlainRecord } from './kafka-produce-request.ts'
import { HEAD_BYTES } from './kafka-record-batch.ts'
import { BATCH_OVERHEAD_BYTES } from './kafka-topics.ts'
import { recordSizeBytes, tooLarge } from './refusals.ts'

/** Records of one partition that go out in one batch, and which of its records they are. */
interface Piece {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly messages: PlainRecord[]
  sizeBytes: number
}

/** What is sent at once: one batch per partition at most. */
export type Send = readonly Piece[]

/** Where the records of one entry of `appends` are among those of their partition. */
interface Entry {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly count: number
}

/** The base offset that the broker gave to a batch. */
export interface SentBatch {
  readonly topic: string
  readonly partition: number
  readonly baseOffset: bigint
}

/** Bounds what one call holds at once. */
const MOST_RECORDS = 5_000
const MOST_BYTES = 16 * 1_048_576
/** What a record takes at most beside key, value and headers, and beside each header. */
const RECORD_OVERHEAD_BYTES = 31
const HEADER_OVERHEAD_BYTES = 10

/**
 * Appends as they are sent. A broker takes one batch per partition and request, and refuses one over the topic's
 * max.message.bytes: so they are cut into batches below it, sent in one call after the other.
 * Throws RECORD_TOO_LARGE before anything is sent.
 */
export class Sends {
  readonly calls: readonly Send[]
  /** The partitions that get records. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
  readonly #entries: readonly Entry[]
  /** Per partition, per batch: the index of its first record, and its offset once sent. */
  readonly #bases = new Map<string, { from: number; offset: bigint }[]>()

  constructor(appends: readonly Appends[], specOf: (topic: string, partition: number) => TopicSpec) {
    const partitions = new Map<string, Cutter>()
    const entries: Entry[] = []
    for (const { topic, partition, records } of appends) {
      const spec = specOf(topic, partition)
      const id = `${topic}/${partition}`
      let cutter = partitions.get(id)
      if (cutter === undefined) {
        cutter = new Cutter(topic, partition, spec.maxRecordBytes)
        partitions.set(id, cutter)
      }
      entries.push({ topic, partition, from: cutter.count, count: records.length })
      for (const record of records) cutter.add(record)
    }
    const rounds: Piece[][] = []
    for (const { pieces } of partitions.values()) {
      for (const [i, piece] of pieces.entries()) {
        const round = rounds[i]
        if (round === undefined) rounds.push([piece])
        else round.push(piece)
      }
    }
    this.calls = rounds.flatMap(cutBySize)
    this.partitions = rounds[0] ?? []
    this.#entries = entries
  }

  /** Fits into one batch of one partition, which is atomic without a transaction. */
  get isOneBatch(): boolean {
    return this.calls.length === 1 && this.calls[0]!.length === 1
  }

  /** All calls are to be made, for the first time or again. */
  begin(): void {
    this.#bases.clear()
  }

  /** Takes in what the broker said to a call. */
  sent(call: Send, batches: readonly SentBatch[]): void {
    for (const { topic, partition, baseOffset } of batches) {
      const piece = call.find((each) => each.topic === topic && each.partition === partition)
      if (piece === undefined) continue
      const id = `${topic}/${partition}`
      const bases = this.#bases.get(id) ?? []
      this.#bases.set(id, bases)
      bases.push({ from: piece.from, offset: baseOffset })
    }
  }

  /** First offset per entry of `appends`; undefined for an entry without records. */
  firstOffsets(): readonly (bigint | undefined)[] {
    return this.#entries.map(({ topic, partition, from, count }) => {
      if (count === 0) return undefined
      const base = this.#bases.get(`${topic}/${partition}`)?.findLast((each) => each.from <= from)
      return base === undefined ? undefined : base.offset + BigInt(from - base.from)
    })
  }

  /** The offset of the first record sent to each partition. */
  firsts(): readonly { readonly topic: string; readonly partition: number; readonly first: bigint | undefined }[] {
    return this.partitions.map(({ topic, partition }) => {
      const first = this.#bases.get(`${topic}/${partition}`)?.find(({ from }) => from === 0)?.offset
      return { topic, partition, first }
    })
  }

  /** The offset behind the last record sent to each partition. */
  ends(): readonly { readonly topic: string; readonly partition: number; readonly end: bigint }[] {
    return this.calls.flatMap((call) =>
      call.map(({ topic, partition, from, messages }) => {
        const base = this.#bases.get(`${topic}/${partition}`)?.find((each) => each.from === from)
        return { topic, partition, end: (base?.offset ?? 0n) + BigInt(messages.length) }
      }),
    )
  }
}

/** The calls that together send these batches, none much larger than brokers take. */
function cutBySize(round: readonly Piece[]): Piece[][] {
  const calls: Piece[][] = []
  let bytes = MOST_BYTES
  for (const piece of round) {
    if (bytes >= MOST_BYTES) {
      calls.push([])
      bytes = 0
    }
    calls.at(-1)!.push(piece)
    bytes += piece.sizeBytes
  }
  return calls
}

/** Collects one partition's records and cuts them into batches. */
class Cutter {
  readonly pieces: Piece[] = []
  count = 0
  readonly #topic: string
  readonly #partition: number
  readonly #maxRecordBytes: number

  constructor(topic: string, partition: number, maxRecordBytes: number) {
    this.#topic = topic
    this.#partition = partition
    this.#maxRecordBytes = maxRecordBytes
  }

  add(record: NewRecord): void {
    const { key, value, headers, timestampMs } = record // by name: a record may compute them
    const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
    const recordBytes = recordSizeBytes(headers === undefined ? { key, value: bytes } : { key, value: bytes, headers })
    if (recordBytes > this.#maxRecordBytes) throw tooLarge(this.#topic, recordBytes, this.#maxRecordBytes)
    const sizeBytes =
      recordBytes +
      RECORD_OVERHEAD_BYTES +
      (headers === undefined ? 0 : Object.keys(headers).length * HEADER_OVERHEAD_BYTES)
    const last = this.pieces.at(-1)
    let piece = last
    if (
      piece === undefined ||
      piece.messages.length === MOST_RECORDS ||
      piece.sizeBytes + sizeBytes > this.#maxRecordBytes + BATCH_OVERHEAD_BYTES
    ) {
      const [topic, partition] = [this.#topic, this.#partition]
      piece = { topic, partition, from: this.count, messages: [], sizeBytes: HEAD_BYTES }
      this.pieces.push(piece)
    }
    piece.sizeBytes += sizeBytes
    this.count += 1
    piece.messages.push({ key, value: bytes, headers: headers ?? NO_HEADERS, timestampMs: Math.floor(timestampMs) })
  }
}
