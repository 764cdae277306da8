/** Why a record went to the dead-letter topic. Closed list; the code travels in the header `rheo.dlq.code`. */
export type RejectionCode =
  | 'EMPTY_VALUE' // a record without a value on a topic that has no tombstones
  | 'UNKNOWN_SCHEMA_ID' // Confluent frame with an id that the registry does not know
  | 'INVALID_AVRO' // the bytes are not a value of the schema
  | 'INVALID_JSON'
  | 'INVALID_ENVELOPE' // looks like a Debezium envelope, but is not one
  | 'FIELD_MISSING'
  | 'FIELD_INVALID' // wrong type, empty id, forbidden name
  | 'NUMBER_NOT_FINITE' // NaN or infinity
  | 'TIME_INVALID'
  | 'TIME_IN_FUTURE' // event time further ahead of the clock than the scenario allows
  | 'RECORD_TOO_LARGE'
  | 'ROW_UNPARSABLE' // a line of an input file that is not CSV or JSON of the expected shape

/** Bad data as a value. The original bytes stay with whoever holds the record. */
export interface Rejection {
  readonly kind: 'rejected'
  readonly code: RejectionCode
  /** One sentence with the field and the offending value (cut to 80 characters). */
  readonly reason: string
  readonly field?: string
}

export function reject(code: RejectionCode, reason: string, field?: string): Rejection {
  return field === undefined ? { kind: 'rejected', code, reason } : { kind: 'rejected', code, reason, field }
}

/** Tells a rejection from a decoded event: no event type has a field `kind` (a test holds the schemas to it). */
export function isRejection(value: object): value is Rejection {
  return (value as { readonly kind?: unknown }).kind === 'rejected'
}

/** A value as it appears in a reason: at most 80 characters. */
export function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 100))
      : typeof value === 'object'
        ? JSON.stringify(value) // String() would call what the value says its `toString` is
        : String(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
