/** Reads the protobuf wire format without a schema, as far as a model's safety check needs it. Throws RangeError on malformed bytes. */
export type Field =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly number: number; readonly kind: 'fixed'; readonly value: Uint8Array }

/** The fields of one message, in order. Lazily: stops where the bytes stop making sense. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  let at = 0

  function varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new RangeError('truncated varint')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw new RangeError('varint of more than ten bytes')
  }

  function take(length: number): Uint8Array {
    if (length > bytes.length - at) throw new RangeError(`field of ${length} bytes in ${bytes.length - at}`)
    at += length
    return bytes.subarray(at - length, at)
  }

  while (at < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    if (number === 0) throw new RangeError('field number 0')
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, kind: 'varint', value: varint() }
        break
      case 1:
        yield { number, kind: 'fixed', value: take(8) }
        break
      case 2:
        yield { number, kind: 'bytes', value: take(Number(varint())) }
        break
      case 5:
        yield { number, kind: 'fixed', value: take(4) }
        break
      default:
        throw new RangeError(`wire type ${tag & 7n}`)
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: false })

export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}
