import { type Rejection, reject, shown } from '../../schemas/rejection.ts'

/** A row or event as the producer wrote it, not yet checked. */
export type RawRow = Readonly<Record<string, unknown>>

/** A row was deleted at its source: there is no event, but there may be one to withdraw. */
export interface Deleted {
  readonly kind: 'deleted'
  /** The row before, where the source sent it; not checked against any schema. */
  readonly before: RawRow | null
}

/** What stands inside an envelope. */
export interface Unwrapped {
  readonly kind: 'unwrapped'
  readonly after: unknown
  readonly before: RawRow | null
}

export const tombstone: Deleted = { kind: 'deleted', before: null }

/**
 * Takes a JSON object out of the envelopes that producers use, or gives it back as it is:
 * - Debezium: `{before, after, op, …}` with op c (create), u (update), r (snapshot) or d (delete), bare or inside the
 *   Kafka Connect wrapper `{schema, payload}`; a payload of null is a tombstone;
 * - CloudEvents 1.0, structured mode: `{specversion, id, source, type, data}`.
 * No event type has fields of these names, so nothing is mistaken for an envelope. Unwraps each kind at most once.
 */
export function unwrapEnvelope(value: RawRow): Unwrapped | Deleted | Rejection {
  if (Object.hasOwn(value, 'specversion')) return unwrapCloudEvent(value)
  if (!Object.hasOwn(value, 'payload') || !Object.hasOwn(value, 'schema')) return unwrapDebezium(value)
  const payload = value['payload']
  if (payload === null) return tombstone
  return isRow(payload) ? unwrapDebezium(payload) : invalid('payload should be an object', payload)
}

function unwrapDebezium(value: RawRow): Unwrapped | Deleted | Rejection {
  if (!Object.hasOwn(value, 'op') || !(Object.hasOwn(value, 'after') || Object.hasOwn(value, 'before'))) {
    return { kind: 'unwrapped', after: value, before: null }
  }
  const before = value['before'] ?? null
  if (before !== null && !isRow(before)) return invalid('before should be an object or null', before)
  const op = value['op']
  switch (op) {
    case 'c':
    case 'u':
    case 'r': {
      const after = value['after']
      return isRow(after)
        ? { kind: 'unwrapped', after, before }
        : invalid(`after should be an object when op is ${op}`, after)
    }
    case 'd':
      return { kind: 'deleted', before }
    default:
      return invalid('op should be c, u, d or r', op)
  }
}

function unwrapCloudEvent(value: RawRow): Unwrapped | Rejection {
  if (value['specversion'] !== '1.0') return invalid('specversion should be "1.0"', value['specversion'])
  const data = value['data']
  return isRow(data)
    ? { kind: 'unwrapped', after: data, before: null }
    : invalid('data of the CloudEvent should be a JSON object', data)
}

function isRow(value: unknown): value is RawRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(expected: string, value: unknown): Rejection {
  const found = typeof value === 'object' && value !== null ? 'a structure' : shown(value)
  return reject('INVALID_ENVELOPE', `${expected}; it is ${found}`)
}
