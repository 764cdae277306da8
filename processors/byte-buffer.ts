import { VectorPool } from './vector-pool.ts'

const MAX_INT32 = 2 ** 31 - 1
/** Its length takes one byte. */
const SHORT_TEXT = 40
const BORROWED_BYTES = 4_096
/** A writer that has grown larger is not kept. */
const MOST_BORROWED_BYTES = 1_048_576
/** What a number of a column starts with: an even number is a whole-number difference to the one above, these are the rest. */
const RAW = 1
const SAME = 3
/** Largest difference that is packed: it is stored times four. */
const MAX_PACKED = 2 ** 50
/** Of one number in a column. */
const MOST_COLUMN_BYTES = 9
/** Writers that nobody has borrowed. */
const idle: ByteWriter[] = []
/** For vectors that are read. */
const vectors = new VectorPool()

/** Appends numbers and texts to a growing buffer: little-endian, lengths as unsigned LEB128; the same on every machine. */
export class ByteWriter {
  #bytes: Buffer
  #view: DataView
  #at = 0

  #isBorrowed = false

  constructor(initialBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(initialBytes)
    this.#view = viewOf(this.#bytes)
  }

  /** A writer for one value, until its `take`: the next value finds a buffer that has grown already. */
  static borrow(): ByteWriter {
    const writer = idle.pop() ?? new ByteWriter(BORROWED_BYTES)
    writer.#isBorrowed = true
    return writer
  }

  get length(): number {
    return this.#at
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#at++] = value
  }

  /** A non-negative integer below 2^53. */
  varint(value: number): void {
    this.#room(8)
    let rest = value
    for (; rest > MAX_INT32; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 128
    for (; rest > 127; rest >>>= 7) this.#bytes[this.#at++] = (rest & 127) | 128
    this.#bytes[this.#at++] = rest
  }

  float32(value: number): void {
    this.#room(4)
    this.#view.setFloat32(this.#at, value, true)
    this.#at += 4
  }

  float64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  float64s(values: Float64Array): void {
    this.varint(values.length)
    this.#room(values.byteLength)
    for (let i = 0; i < values.length; i++, this.#at += 8) this.#view.setFloat64(this.#at, values[i]!, true)
  }

  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#asciiText(value)) return
    const bytes = Buffer.byteLength(value)
    this.varint(bytes)
    this.#room(bytes)
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
  }

  /** Most texts are short and ASCII, and a call into the runtime costs more than writing them here. */
  #asciiText(value: string): boolean {
    const { length } = value
    this.#room(1 + length)
    const bytes = this.#bytes
    const at = this.#at + 1
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 127) return false
      bytes[at + i] = code
    }
    bytes[this.#at] = length
    this.#at = at + length
    return true
  }

  blob(value: Uint8Array): void {
    this.varint(value.length)
    this.#room(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  /**
   * Writes one column of `length` numbers, `stride` apart: whole-number differences as zigzag varints, the same number again
   * as one byte, all else as 8 bytes. NaN and −0 come back as they were.
   */
  column(numbers: Float64Array, first: number, stride: number, length: number): void {
    this.#room(MOST_COLUMN_BYTES * length)
    const bytes = this.#bytes
    let at = this.#at
    let above = 0
    for (let i = 0, from = first; i < length; i++, from += stride) {
      const x = numbers[from]!
      const difference = x - above
      if (Object.is(x, above)) bytes[at++] = SAME
      else if (packs(x, above, difference)) {
        let rest = (difference < 0 ? -2 * difference - 1 : 2 * difference) * 2
        for (; rest > MAX_INT32; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
        for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
        bytes[at++] = rest
      } else {
        bytes[at] = RAW
        this.#view.setFloat64(at + 1, x, true)
        at += 9
      }
      above = x
    }
    this.#at = at
  }

  /** Forgets what was written. */
  reset(): void {
    this.#at = 0
  }

  /** The bytes written, as memory that nobody else writes to; the writer is empty afterwards. */
  take(): Uint8Array {
    const taken = Buffer.allocUnsafe(this.#at)
    this.#bytes.copy(taken, 0, 0, this.#at)
    this.#at = 0
    if (this.#isBorrowed) {
      this.#isBorrowed = false
      if (this.#bytes.length <= MOST_BORROWED_BYTES) idle.push(this)
    }
    return taken
  }
}

/** Reads what `ByteWriter` wrote. Running over the end is a RangeError: such bytes were never written by it. */
export class ByteReader {
  readonly #bytes: Buffer
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = viewOf(this.#bytes)
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    return this.#view.getUint8(this.#at++)
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#view.getUint8(this.#at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  float32(): number {
    this.#at += 4
    return this.#view.getFloat32(this.#at - 4, true)
  }

  float64(): number {
    this.#at += 8
    return this.#view.getFloat64(this.#at - 8, true)
  }

  float64s(): Float64Array {
    const values = vectors.take(this.varint())
    for (let i = 0; i < values.length; i++) values[i] = this.float64()
    return values
  }

  /** Reads what `ByteWriter.column` wrote. */
  column(numbers: Float64Array, first: number, stride: number, length: number): void {
    const bytes = this.#bytes
    let at = this.#at
    let above = 0
    for (let i = 0, to = first; i < length; i++, to += stride) {
      let token = bytes[at++]!
      if (token === RAW) {
        above = this.#view.getFloat64(at, true)
        at += 8
      } else if (token !== SAME) {
        if (token >= 128) {
          token &= 127
          for (let scale = 128; ; scale *= 128) {
            const byte = bytes[at++]!
            token += (byte & 127) * scale
            if (!(byte >= 128)) break
          }
        }
        const zigzag = token / 2
        above += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
      }
      numbers[to] = above
    }
    if (!(at <= bytes.length)) throw new RangeError('the bytes end within a column')
    this.#at = at
  }

  text(): string {
    const length = this.varint()
    const value = this.#bytes.toString('utf8', this.#at, this.#at + length)
    this.#at += length
    return value
  }

  /** The bytes where they lie: valid as long as nobody writes over what is read. */
  view(): Uint8Array {
    const length = this.varint()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A copy of the bytes. */
  blob(): Uint8Array {
    const length = this.varint()
    const value = Uint8Array.prototype.slice.call(this.#bytes, this.#at, this.#at + length)
    this.#at += length
    return value
  }
}

/** Whether adding the difference to the number above gives back this one, to the bit. */
function packs(x: number, above: number, difference: number): boolean {
  return (
    Number.isInteger(difference) &&
    Math.abs(difference) < MAX_PACKED &&
    Number.isSafeInteger(x) &&
    Number.isSafeInteger(above) &&
    !Object.is(x, -0)
  )
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
