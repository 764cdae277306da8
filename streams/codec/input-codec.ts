import { isUtf8 } from 'node:buffer'
import type { EventSchema } from '../../schemas/event-schema.ts'
import { isRejection, type Rejection, reject, shown } from '../../schemas/rejection.ts'
import type { MaybePromise } from '../event-log/event-log.ts'
import { type Deleted, type RawRow, tombstone, unwrapEnvelope } from './envelopes.ts'
import { createEventCodec } from './event-codec.ts'
import { compileEventReader } from './event-reader.ts'
import type { SchemaRegistry } from './schema-registry.ts'

/** A row's new version, with what the source said about the old one. */
export interface Changed<E> {
  readonly kind: 'changed'
  readonly event: E
  readonly before: RawRow | null
}

/**
 * Reads what users append to a topic. Accepted, told apart by the first byte: Confluent-framed Avro; a JSON object,
 * bare, in a Debezium envelope or as a structured CloudEvent. Whatever the form, the event is checked alike
 * (`compileEventReader`). Never throws.
 */
export interface InputCodec<E> {
  readonly schema: EventSchema<E>
  /** The event in the log's own form, Confluent-framed Avro. */
  encode(event: E): Uint8Array
  /** The event; `deleted` for a Debezium delete and for a tombstone (null). */
  decode(bytes: Uint8Array | null): E | Deleted | Rejection
  /** Like `decode`, with the row's former version where the source sent it. */
  decodeChange(bytes: Uint8Array | null): Changed<E> | Deleted | Rejection
  /** Fetches the schema that `bytes` were written with where the registry is remote. Await it before `decode`. */
  prepare(bytes: Uint8Array): MaybePromise<void>
}

/** @param maxBytes larger values are RECORD_TOO_LARGE and are not looked at */
export function createInputCodec<E extends object>(
  schema: EventSchema<E>,
  registry: SchemaRegistry,
  maxBytes: number,
): InputCodec<E> {
  const avro = createEventCodec(schema, registry)
  const read = compileEventReader(schema)

  function decodeChange(bytes: Uint8Array | null): Changed<E> | Deleted | Rejection {
    if (bytes === null) return tombstone
    if (bytes.length === 0) return reject('EMPTY_VALUE', 'the record has no value')
    if (bytes.length > maxBytes) {
      return reject('RECORD_TOO_LARGE', `the record has ${bytes.length} bytes, more than the ${maxBytes} allowed`)
    }
    if (bytes[0] === 0) {
      const decoded = avro.decode(bytes)
      return isRejection(decoded) ? decoded : changed(read(decoded), null)
    }
    const parsed = parseObject(bytes)
    if (parsed.kind === 'rejected') return parsed
    const unwrapped = unwrapEnvelope(parsed.row)
    if (unwrapped.kind !== 'unwrapped') return unwrapped
    return changed(read(unwrapped.after), unwrapped.before)
  }

  return {
    schema,
    encode: avro.encode,
    prepare: avro.prepare,
    decodeChange,
    decode(bytes) {
      const change = decodeChange(bytes)
      return change.kind === 'changed' ? change.event : change
    },
  }
}

function changed<E extends object>(event: E | Rejection, before: RawRow | null): Changed<E> | Rejection {
  return isRejection(event) ? event : { kind: 'changed', event, before }
}

/** Bytes to a JSON object: UTF-8, a byte-order mark and white space before it allowed. */
function parseObject(bytes: Uint8Array): { readonly kind: 'parsed'; readonly row: RawRow } | Rejection {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  const first = bytes.subarray(start).find((byte) => byte > 0x20)
  if (first !== 0x7b) {
    const found = first === undefined ? 'white space' : `byte 0x${first.toString(16).padStart(2, '0')}`
    return reject('INVALID_JSON', `the value starts with ${found}: neither framed Avro (0x00) nor a JSON object ("{")`)
  }
  if (!isUtf8(bytes)) return reject('INVALID_JSON', 'the value is not UTF-8')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.length - start).toString('utf8')
  try {
    return { kind: 'parsed', row: JSON.parse(text) as RawRow }
  } catch (error) {
    // Python and JavaScript producers write NaN and Infinity bare, which JSON does not know.
    const literal = /[:[,]\s*(-?Infinity|NaN)\s*[,}\]]/.exec(text)?.[1]
    if (literal !== undefined) return reject('NUMBER_NOT_FINITE', `a number is ${literal}`)
    return reject('INVALID_JSON', `no JSON: ${shown(error instanceof Error ? error.message : error)}`)
  }
}
