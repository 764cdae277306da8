/**
 * Writes the protobuf wire format (https://protobuf.dev/programming-guides/encoding/), as far as ONNX needs it:
 * varints, length-delimited fields, 32-bit floats. The caller knows the field numbers; nothing is checked against a schema.
 */
export interface ProtobufWriter {
  /** int32, int64, enum, bool. Negative numbers take ten bytes, as the format demands. */
  varint(field: number, value: number | bigint): void
  float(field: number, value: number): void
  text(field: number, value: string): void
  bytes(field: number, value: Uint8Array): void
  /** A nested message, written by `fill`. */
  nested(field: number, fill: (writer: ProtobufWriter) => void): void
  packedVarints(field: number, values: readonly (number | bigint)[]): void
  packedFloats(field: number, values: ArrayLike<number>): void
  /** All that was written so far. */
  finish(): Uint8Array
}

const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

const utf8 = new TextEncoder()

export function protobufWriter(initialBytes = 256): ProtobufWriter {
  let buffer = new Uint8Array(initialBytes)
  let length = 0

  function reserve(more: number): void {
    if (length + more <= buffer.length) return
    const larger = new Uint8Array(Math.max(buffer.length * 2, length + more))
    larger.set(buffer.subarray(0, length))
    buffer = larger
  }

  function rawVarint(value: number | bigint): void {
    reserve(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest > 127n) {
      buffer[length++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    buffer[length++] = Number(rest)
  }

  function tag(field: number, wireType: number): void {
    rawVarint((field << 3) | wireType)
  }

  function rawBytes(value: Uint8Array): void {
    reserve(value.length)
    buffer.set(value, length)
    length += value.length
  }

  const writer: ProtobufWriter = {
    varint(field, value) {
      tag(field, VARINT)
      rawVarint(value)
    },
    float(field, value) {
      tag(field, FIXED_32)
      rawBytes(littleEndianFloats([value]))
    },
    text(field, value) {
      writer.bytes(field, utf8.encode(value))
    },
    bytes(field, value) {
      tag(field, LENGTH_DELIMITED)
      rawVarint(value.length)
      rawBytes(value)
    },
    nested(field, fill) {
      const inner = protobufWriter()
      fill(inner)
      writer.bytes(field, inner.finish())
    },
    packedVarints(field, values) {
      const start = length
      for (const value of values) rawVarint(value)
      const packed = buffer.slice(start, length)
      length = start
      writer.bytes(field, packed)
    },
    packedFloats(field, values) {
      writer.bytes(field, littleEndianFloats(values))
    },
    finish() {
      return buffer.slice(0, length)
    },
  }
  return writer
}

/** float32 little-endian, independent of the machine's byte order. */
export function littleEndianFloats(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < values.length; i++) view.setFloat32(i * 4, values[i] ?? 0, true)
  return bytes
}
