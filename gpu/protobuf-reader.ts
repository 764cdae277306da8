/**
 * Reads the protobuf wire format without a schema, as far as a model's safety check needs it: numbers of fixed size, which it does
 * not ask about, are skipped. Throws RangeError on malformed bytes.
 */
export type Field =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array }

/**
 * The fields of one message that have one of the `wanted` numbers, in order; the others are skipped over and no object is made
 * of them, since a model of trees holds a hundred thousand. Lazily: stops where the bytes stop making sense.
 */
export function* readFields(bytes: Uint8Array, wanted: readonly number[]): Generator<Field> {
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

  /** Tags and lengths, of which nearly all are one byte. */
  function number(): number {
    const byte = bytes[at]
    if (byte === undefined || byte >= 128) return Number(varint())
    at++
    return byte
  }

  function skipVarint(): void {
    for (const end = at + 10; at < end; ) {
      const byte = bytes[at++]
      if (byte === undefined) throw new RangeError('truncated varint')
      if (byte < 128) return
    }
    throw new RangeError('varint of more than ten bytes')
  }

  function skip(length: number): void {
    if (length > bytes.length - at) throw new RangeError(`field of ${length} bytes in ${bytes.length - at}`)
    at += length
  }

  function take(length: number): Uint8Array {
    skip(length)
    return bytes.subarray(at - length, at)
  }

  while (at < bytes.length) {
    const tag = number()
    const field = Math.floor(tag / 8)
    // Other readers cut a longer tag to 32 bits, and would see a field that was not looked at here.
    if (field === 0 || tag >= 2 ** 32) throw new RangeError(`tag ${tag}`)
    const isWanted = wanted.includes(field)
    switch (tag % 8) {
      case 0:
        if (isWanted) yield { number: field, kind: 'varint', value: varint() }
        else skipVarint()
        break
      case 1:
        skip(8)
        break
      case 2: {
        const length = number()
        if (isWanted) yield { number: field, kind: 'bytes', value: take(length) }
        else skip(length)
        break
      }
      case 5:
        skip(4)
        break
      default:
        throw new RangeError(`wire type ${tag % 8}`)
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: false })

export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}
