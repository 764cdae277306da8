import { RheoError } from '../../schemas/errors.ts'
import type { Headers, LogRecord } from './event-log.ts'
import { NO_HEADERS } from './headers.ts'
import { decompress } from './kafka-codecs.ts'

/** Where the fields of a batch's head stand (https://kafka.apache.org/documentation/#recordbatch), and its size. */
export const LENGTH_AT = 8
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_DELTA_AT = 23
const FIRST_TIME_AT = 27
const LAST_TIME_AT = 35
const PRODUCER_AT = 43
const COUNT_AT = 57
export const HEAD_BYTES = 61
/** What `length` counts from. */
const BEHIND_LENGTH = 12
export const MAGIC = 2
/** Bits of the attributes. */
const COMPRESSION = 0x07
const APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
const CONTROL = 0x20
/** Kind of a control record; the other is 1, commit. */
const ABORT = 0

/** Records of one producer and partition, as they come from a broker. They are decoded one by one, when they are asked for. */
export class RecordBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly producerId: bigint
  readonly sizeBytes: number
  readonly #attributes: number
  readonly #firstMs: number
  readonly #lastMs: number
  /** The records, decompressed once they are asked for. */
  #bytes: Buffer
  #at = 0
  #left: number
  #isPacked: boolean

  /** The batch that begins at `at`; null where it is cut off. */
  static at(bytes: Buffer, at: number): RecordBatch | null {
    if (bytes.length - at < HEAD_BYTES) return null
    const sizeBytes = BEHIND_LENGTH + bytes.readInt32BE(at + LENGTH_AT)
    return sizeBytes > bytes.length - at ? null : new RecordBatch(bytes.subarray(at, at + sizeBytes))
  }

  private constructor(bytes: Buffer) {
    const magic = bytes.readInt8(MAGIC_AT)
    if (magic !== MAGIC) throw unreadable(`has the format ${magic} of Kafka before 0.11`)
    this.firstOffset = Number(bytes.readBigInt64BE(0))
    this.lastOffset = this.firstOffset + bytes.readInt32BE(LAST_DELTA_AT)
    this.producerId = bytes.readBigInt64BE(PRODUCER_AT)
    this.sizeBytes = bytes.length
    this.#attributes = bytes.readInt16BE(ATTRIBUTES_AT)
    this.#firstMs = Number(bytes.readBigInt64BE(FIRST_TIME_AT))
    this.#lastMs = Number(bytes.readBigInt64BE(LAST_TIME_AT))
    this.#left = bytes.readInt32BE(COUNT_AT)
    this.#bytes = bytes.subarray(HEAD_BYTES)
    this.#isPacked = (this.#attributes & COMPRESSION) !== 0
  }

  get isTransactional(): boolean {
    return (this.#attributes & TRANSACTIONAL) !== 0
  }

  /** Holds a marker, and no records for readers. */
  get isControl(): boolean {
    return (this.#attributes & CONTROL) !== 0
  }

  /** The marker ends a transaction that was aborted. */
  get isAbort(): boolean {
    return this.next()?.key?.readInt16BE(2) === ABORT
  }

  /** The next record; null: there are no more. */
  next(): KafkaRecord | null {
    if (this.#left === 0) return null
    this.#left -= 1
    if (this.#isPacked) {
      this.#bytes = decompress(this.#attributes & COMPRESSION, this.#bytes)
      this.#isPacked = false
    }
    const bytes = this.#bytes
    position = this.#at
    const sizeBytes = readVarint(bytes)
    const end = position + sizeBytes
    if (!(sizeBytes > 0 && end <= bytes.length)) throw unreadable('is damaged')
    this.#at = end
    position += 1 // attributes, of which there are none
    const sinceMs = readVarint(bytes)
    const offset = this.firstOffset + readVarint(bytes)
    const keyBytes = readVarint(bytes)
    const keyAt = position
    position += Math.max(0, keyBytes)
    const valueBytes = readVarint(bytes)
    const valueAt = position
    const timestampMs = (this.#attributes & APPEND_TIME) === 0 ? this.#firstMs + sinceMs : this.#lastMs
    return new KafkaRecord(bytes, offset, timestampMs, keyAt, keyBytes, valueAt, valueBytes)
  }
}

/** A record within the bytes that came from the broker. Its parts are cut out when they are asked for. */
export class KafkaRecord implements LogRecord {
  /** The offset; it stays below 2^53. */
  readonly at: number
  readonly timestampMs: number
  readonly #bytes: Buffer
  readonly #keyAt: number
  readonly #keyBytes: number
  readonly #valueAt: number
  readonly #valueBytes: number

  constructor(
    bytes: Buffer,
    at: number,
    timestampMs: number,
    keyAt: number,
    keyBytes: number,
    valueAt: number,
    valueBytes: number,
  ) {
    this.at = at
    this.timestampMs = timestampMs
    this.#bytes = bytes
    this.#keyAt = keyAt
    this.#keyBytes = keyBytes
    this.#valueAt = valueAt
    this.#valueBytes = valueBytes
  }

  get offset(): bigint {
    return BigInt(this.at)
  }

  get sizeBytes(): number {
    return Math.max(0, this.#keyBytes) + Math.max(0, this.#valueBytes)
  }

  get key(): Buffer | null {
    return this.#keyBytes < 0 ? null : this.#bytes.subarray(this.#keyAt, this.#keyAt + this.#keyBytes)
  }

  get value(): Buffer | null {
    return this.#valueBytes < 0 ? null : this.#bytes.subarray(this.#valueAt, this.#valueAt + this.#valueBytes)
  }

  /** A name that comes twice has its last value; a header without a value is empty. */
  get headers(): Headers {
    const bytes = this.#bytes
    position = this.#valueAt + Math.max(0, this.#valueBytes)
    const count = readVarint(bytes)
    if (count === 0) return NO_HEADERS
    const entries: [string, Uint8Array][] = []
    for (let i = 0; i < count; i++) {
      const name = readField(bytes)
      entries.push([name.toString('utf8'), readField(bytes)])
    }
    return Object.fromEntries(entries)
  }
}

/** Where the readers below stand: they move it on. */
let position = 0

function readField(bytes: Buffer): Buffer {
  const length = Math.max(0, readVarint(bytes))
  const from = position
  position += length
  return bytes.subarray(from, position)
}

/** A zigzag number of variable length, beyond 32 bits as float arithmetic: spans of time take more. */
function readVarint(bytes: Buffer): number {
  let byte = bytes[position++]!
  let coded = byte & 0x7f
  for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
    byte = bytes[position++]!
    coded |= (byte & 0x7f) << shift
  }
  if (byte < 0x80) return (coded >>> 1) ^ -(coded & 1)
  let large = coded
  for (let unit = 2 ** 28; byte >= 0x80; unit *= 128) {
    byte = bytes[position++]!
    large += (byte & 0x7f) * unit
  }
  return coded & 1 ? -(large + 1) / 2 : large / 2
}

function unreadable(what: string): RheoError {
  return new RheoError('STORAGE_CORRUPT', `A batch of records in Kafka ${what}.`, {
    hint: 'Nothing behind it can be read: truncate the topic to behind it, or write it anew.',
  })
}
