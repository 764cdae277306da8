import type { LogRecord, NewRecord } from './event-log.ts'
import { NO_HEADERS } from './headers.ts'

/** Slots per chunk; a power of two, so that an index splits by shift and mask. */
const CHUNK_BITS = 9
const CHUNK = 1 << CHUNK_BITS
const MASK = CHUNK - 1

type Chunk = (LogRecord | undefined)[]

/** A record as it was given, at its offset: what an output record derives (headers, key) is not asked for before a reader does. */
class HeldRecord implements LogRecord {
  readonly offset: bigint
  readonly #record: NewRecord

  constructor(offset: bigint, record: NewRecord) {
    this.offset = offset
    this.#record = record
  }

  get key(): Uint8Array | null {
    return this.#record.key
  }

  get value(): LogRecord['value'] {
    return this.#record.value
  }

  get headers(): LogRecord['headers'] {
    return this.#record.headers ?? NO_HEADERS
  }

  get timestampMs(): number {
    return this.#record.timestampMs
  }
}

/**
 * One partition of the memory log: a queue of records in chunks of 512. Appending and dropping cost O(1) amortised
 * and no copying, whatever the length; finding an offset costs O(1), or O(log n) once compaction has left gaps.
 */
export class RecordQueue {
  /** The first offset that may be read. */
  start = 0
  /** The next offset to be written. */
  end = 0
  #chunks: Chunk[] = []
  #spare: Chunk | undefined
  /** Slot of the first record held, in the first chunk. */
  #head = 0
  /** Records held: those before `start` are among them until `free`. */
  #length = 0
  #hasGaps = false

  get length(): number {
    return this.#length
  }

  /** The `index`th record held, 0 ≤ index < length. */
  at(index: number): LogRecord {
    const slot = this.#head + index
    return this.#chunks[slot >> CHUNK_BITS]![slot & MASK]!
  }

  push(record: NewRecord): void {
    this.#put(new HeldRecord(BigInt(this.end), record))
    this.end += 1
  }

  /** Index of the first record held whose offset is ≥ `from`; `length` when there is none. */
  find(from: number): number {
    if (from >= this.end) return this.#length
    if (!this.#hasGaps) return Math.max(0, from - (this.end - this.#length))
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (Number(this.at(middle).offset) < from) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Lets go of the records before `start`. */
  free(): void {
    const count = this.find(this.start)
    for (let i = 0; i < count; i++) {
      this.#chunks[0]![this.#head] = undefined
      this.#head += 1
      if (this.#head === CHUNK) {
        this.#spare = this.#chunks.shift()
        this.#head = 0
      }
    }
    this.#length -= count
  }

  /** Takes back what was pushed from offset `end` on. */
  cut(end: number): void {
    const kept = this.find(end)
    for (let i = kept; i < this.#length; i++) {
      const slot = this.#head + i
      this.#chunks[slot >> CHUNK_BITS]![slot & MASK] = undefined
    }
    this.#length = kept
    this.end = end
  }

  /** Keeps only the records for which `keep` holds; the others leave gaps. Cost: O(length). */
  retain(keep: (record: LogRecord) => boolean): void {
    const kept: LogRecord[] = []
    for (let i = 0; i < this.#length; i++) {
      const record = this.at(i)
      if (keep(record)) kept.push(record)
    }
    if (kept.length === this.#length) return
    this.#chunks = []
    this.#head = 0
    this.#length = 0
    for (const record of kept) this.#put(record)
    this.#hasGaps = true
  }

  #put(record: LogRecord): void {
    const slot = this.#head + this.#length
    let chunk = this.#chunks[slot >> CHUNK_BITS]
    if (chunk === undefined) {
      chunk = this.#spare ?? new Array<LogRecord | undefined>(CHUNK).fill(undefined)
      this.#spare = undefined
      this.#chunks.push(chunk)
    }
    chunk[slot & MASK] = record
    this.#length += 1
  }
}
