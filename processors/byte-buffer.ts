const MAX_INT32 = 2 ** 31 - 1

/** Appends numbers and texts to a growing buffer: little-endian, lengths as unsigned LEB128; the same on every machine. */
export class ByteWriter {
  #bytes: Buffer
  #view: DataView
  #at = 0

  constructor(initialBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(initialBytes)
    this.#view = viewOf(this.#bytes)
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
    const bytes = Buffer.byteLength(value)
    this.varint(bytes)
    this.#room(bytes)
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
  }

  blob(value: Uint8Array): void {
    this.varint(value.length)
    this.#room(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** The bytes written, as their own memory; the writer is empty afterwards. */
  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.#bytes, 0, this.#at)
    this.#at = 0
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
    const values = new Float64Array(this.varint())
    for (let i = 0; i < values.length; i++) values[i] = this.float64()
    return values
  }

  text(): string {
    const length = this.varint()
    const value = this.#bytes.toString('utf8', this.#at, this.#at + length)
    this.#at += length
    return value
  }

  /** A copy of the bytes. */
  blob(): Uint8Array {
    const length = this.varint()
    const value = Uint8Array.prototype.slice.call(this.#bytes, this.#at, this.#at + length)
    this.#at += length
    return value
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
