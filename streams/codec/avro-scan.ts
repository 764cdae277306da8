import type { AvroType } from '../../schemas/event-schema.ts'

/**
 * Walks over one encoded value without building it: where it ends, or -1 when the bytes are no value of the type.
 * Avro decoders trust counts and lengths (an array that claims 2^50 items is built until memory ends), so bytes
 * from outside are walked over first. Cost: a few ns per field; no allocation.
 */
export type AvroScan = (bytes: Uint8Array, start: number) => number

/** A map key that decoders would take for an object's prototype: `__proto__`. */
const prototypeKey = Buffer.from('__proto__')

/** The number that `readLong` ended at. One per process is enough: scanning never yields. */
let after = 0

export function compileAvroScan(type: AvroType): AvroScan {
  if (typeof type === 'string') return primitiveScan(type)
  if ('type' in type) {
    switch (type.type) {
      case 'long':
        return scanVarint
      case 'enum': {
        const symbols = type.symbols.length
        return (bytes, start) => indexedScan(bytes, start, symbols)
      }
      case 'array':
        return blocksScan(compileAvroScan(type.items))
      case 'map': {
        const scanValue = compileAvroScan(type.values)
        return blocksScan((bytes, start) => {
          const valueStart = scanKey(bytes, start)
          return valueStart < 0 ? -1 : scanValue(bytes, valueStart)
        })
      }
      case 'record':
        return recordScan(type.fields.map((field) => compileAvroScan(field.type)))
    }
  }
  const branches = type.map(compileAvroScan)
  return (bytes, start) => {
    const pos = indexedScan(bytes, start, branches.length)
    return pos < 0 ? -1 : branches[bytes[start]! >> 1]!(bytes, pos)
  }
}

function primitiveScan(type: Extract<AvroType, string>): AvroScan {
  switch (type) {
    case 'null':
      return (_, start) => start
    case 'boolean':
      return (bytes, start) => (start < bytes.length && bytes[start]! <= 1 ? start + 1 : -1)
    case 'int':
    case 'long':
      return scanVarint
    case 'float':
      return (bytes, start) => fixedScan(bytes, start, 4)
    case 'double':
      return (bytes, start) => fixedScan(bytes, start, 8)
    case 'bytes':
    case 'string':
      return scanString
  }
}

function recordScan(fields: readonly AvroScan[]): AvroScan {
  return (bytes, start) => {
    let pos = start
    for (const scan of fields) {
      pos = scan(bytes, pos)
      if (pos < 0) return -1
    }
    return pos
  }
}

/** Arrays and maps: blocks of counted items (a negative count is followed by the block's size), ended by a 0. */
function blocksScan(scanItem: AvroScan): AvroScan {
  return (bytes, start) => {
    let pos = start
    for (;;) {
      let count = readLong(bytes, pos)
      pos = after
      if (pos < 0) return -1
      if (count === 0) return pos
      if (count < 0) {
        count = -count
        pos = scanVarint(bytes, pos)
        if (pos < 0) return -1
      }
      if (count > bytes.length - pos) return -1 // every item takes a byte at least
      for (let i = 0; i < count; i++) {
        pos = scanItem(bytes, pos)
        if (pos < 0) return -1
      }
    }
  }
}

function scanKey(bytes: Uint8Array, start: number): number {
  const end = scanString(bytes, start)
  if (end - start !== prototypeKey.length + 1) return end
  return prototypeKey.every((byte, i) => bytes[start + 1 + i] === byte) ? -1 : end
}

function scanString(bytes: Uint8Array, start: number): number {
  const length = readLong(bytes, start)
  return after < 0 || length < 0 || length > bytes.length - after ? -1 : after + length
}

function fixedScan(bytes: Uint8Array, start: number, size: number): number {
  return start + size <= bytes.length ? start + size : -1
}

/** An enum's or a union's index below 64 in one byte (an even one: zigzag). */
function indexedScan(bytes: Uint8Array, start: number, count: number): number {
  if (start >= bytes.length) return -1
  const byte = bytes[start]!
  return (byte & 1) === 0 && byte >> 1 < count && byte < 128 ? start + 1 : -1
}

function scanVarint(bytes: Uint8Array, start: number): number {
  const last = Math.min(bytes.length, start + 10)
  for (let pos = start; pos < last; pos++) if (bytes[pos]! < 128) return pos + 1
  return -1
}

/** A zigzag varint; `after` is where it ends, -1 when it does not. Exact up to 2^53, which is past any length. */
function readLong(bytes: Uint8Array, start: number): number {
  if (start < bytes.length && bytes[start]! < 128) {
    after = start + 1
    const byte = bytes[start]!
    return (byte >> 1) ^ -(byte & 1)
  }
  after = scanVarint(bytes, start)
  if (after < 0) return 0
  let value = 0
  for (let pos = after - 1; pos >= start; pos--) value = value * 128 + (bytes[pos]! & 127)
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2
}
