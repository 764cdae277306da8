import type { Headers } from './event-log.ts'

/** The headers of a record that has none: shared, so that such records cost nothing. */
export const NO_HEADERS: Headers = Object.freeze({})

/**
 * A header as text; undefined when the record lacks it. A header appended as a string may come back as its UTF-8
 * bytes (Kafka knows only bytes), so readers of textual headers go through here.
 */
export function headerText(headers: Headers, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  return value === undefined || typeof value === 'string' ? value : Buffer.from(value).toString('utf8')
}

/** What the headers count against `maxRecordBytes`: names and values in UTF-8. */
export function headersSizeBytes(headers: Headers | undefined): number {
  if (headers === undefined || headers === NO_HEADERS) return 0
  let sizeBytes = 0
  for (const name of Object.keys(headers)) {
    const value = headers[name]!
    sizeBytes += Buffer.byteLength(name) + (typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength)
  }
  return sizeBytes
}

/**
 * Headers as one blob, or null for none. Grammar, repeated per header, lengths as unsigned 32-bit little-endian:
 * name length, name (UTF-8), kind (1 byte: 0 text, 1 bytes), value length, value.
 */
export function encodeHeaders(headers: Headers | undefined): Uint8Array | null {
  if (headers === undefined || headers === NO_HEADERS) return null
  const names = Object.keys(headers)
  if (names.length === 0) return null
  const blob = Buffer.allocUnsafe(headersSizeBytes(headers) + names.length * 9)
  let at = 0
  for (const name of names) {
    const value = headers[name]!
    const nameBytes = blob.write(name, at + 4, 'utf8')
    at = blob.writeUInt32LE(nameBytes, at) + nameBytes
    at = blob.writeUInt8(typeof value === 'string' ? 0 : 1, at)
    const valueBytes = typeof value === 'string' ? blob.write(value, at + 4, 'utf8') : value.byteLength
    if (typeof value !== 'string') blob.set(value, at + 4)
    at = blob.writeUInt32LE(valueBytes, at) + valueBytes
  }
  return blob
}

/** The inverse of `encodeHeaders`. A header named `__proto__` stays an ordinary header. */
export function decodeHeaders(blob: Uint8Array | null): Headers {
  if (blob === null) return NO_HEADERS
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const entries: [string, string | Uint8Array][] = []
  let at = 0
  while (at < bytes.length) {
    const nameEnd = at + 4 + bytes.readUInt32LE(at)
    const name = bytes.toString('utf8', at + 4, nameEnd)
    const isText = bytes.readUInt8(nameEnd) === 0
    const valueAt = nameEnd + 5
    const valueEnd = valueAt + bytes.readUInt32LE(nameEnd + 1)
    entries.push([
      name,
      isText ? bytes.toString('utf8', valueAt, valueEnd) : new Uint8Array(bytes.subarray(valueAt, valueEnd)),
    ])
    at = valueEnd
  }
  return Object.fromEntries(entries)
}
