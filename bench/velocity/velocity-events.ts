/** A payment of the velocity bench (`Payment.avsc`). */
export interface Payment {
  readonly paymentId: string
  readonly eventTimeMs: number
  readonly customerId: string
  readonly terminalId: string
  readonly deviceId: string
  readonly amount: number
  readonly declined: boolean
  /** The record's value. */
  readonly bytes: Uint8Array
}

/** What travels from the customer's stage to the terminal's. */
export interface Hop {
  readonly paymentId: string
  readonly amount: number
  /** The customer's twelve. */
  readonly features: Float64Array
}

/** Magic byte and the schema id 1, which the bench gives to every schema. */
const FRAME = Buffer.from([0, 0, 0, 0, 1])
const SCORE_BYTES = 320

/** Walks over an Avro record. */
class AvroReader {
  #bytes: Buffer = FRAME
  #at = 0

  open(bytes: Uint8Array, at: number): void {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  long(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  text(): string {
    const length = this.long()
    this.#at += length
    return this.#bytes.toString('latin1', this.#at - length, this.#at)
  }

  double(): number {
    this.#at += 8
    return this.#bytes.readDoubleLE(this.#at - 8)
  }

  boolean(): boolean {
    return this.#bytes[this.#at++] === 1
  }
}

const reader = new AvroReader()

export function readPayment(bytes: Uint8Array): Payment {
  reader.open(bytes, FRAME.length)
  return {
    paymentId: reader.text(),
    eventTimeMs: reader.long(),
    customerId: reader.text(),
    terminalId: reader.text(),
    deviceId: reader.text(),
    amount: reader.double(),
    declined: reader.boolean(),
    bytes,
  }
}

/** A score as `Score.avsc` has it: `features` in the order of its fields, counts and times as whole numbers. */
export interface Score {
  readonly paymentId: string
  readonly eventTimeMs: number
  readonly score: number
  readonly features: Float64Array
}

/** Features that are `int` or `long` in `Score.avsc`. */
const WHOLE = [0, 2, 4, 6, 9, 11, 12, 14, 16]
const IS_WHOLE = Array.from({ length: 18 }, (_, i) => WHOLE.includes(i))

/** Bytes of scores share slabs: one allocation serves hundreds. */
let slab = Buffer.allocUnsafe(0)
let used = 0

export function writeScore({ paymentId, eventTimeMs, score, features }: Score): Uint8Array {
  if (used + SCORE_BYTES + paymentId.length > slab.length) {
    slab = Buffer.allocUnsafe(65_536)
    used = 0
  }
  const start = used
  let at = start + FRAME.copy(slab, start)
  at = long(paymentId.length, at)
  at += slab.write(paymentId, at, 'latin1')
  at = long(eventTimeMs, at)
  at = slab.writeDoubleLE(score, at)
  for (let i = 0; i < IS_WHOLE.length; i++)
    at = IS_WHOLE[i] === true ? long(features[i]!, at) : slab.writeDoubleLE(features[i]!, at)
  used = at
  return slab.subarray(start, at)
}

function long(value: number, start: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  let at = start
  while (rest > 127) {
    slab[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  slab[at++] = rest
  return at
}
