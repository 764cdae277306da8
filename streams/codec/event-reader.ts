import type { AvroField, AvroRecord, AvroType, EventSchema } from '../../schemas/event-schema.ts'
import { type Rejection, reject, shown } from '../../schemas/rejection.ts'

/**
 * Makes an event of a value from outside (parsed JSON, or what a producer's Avro said), or says what is wrong with it:
 * - a field without a default is FIELD_MISSING when absent or null; other absent fields take their default;
 * - fields that the schema does not name are ignored, whatever they are called;
 * - a required text is never empty (ids are keys); an empty optional text means that it is missing;
 * - numbers are finite; integers lie within ±2^52; a time is milliseconds since 1970 or ISO 8601 text with a zone;
 * - text is well-formed Unicode, because what is written must read back the same.
 * The event has the schema's fields in the schema's order, so that all events of a type share one shape.
 */
export type EventReader<E> = (value: unknown) => E | Rejection

export function compileEventReader<E>(schema: EventSchema<E>): EventReader<E> {
  const read = recordReader(schema.avro)
  return (value) => {
    const event = read(value, schema.name)
    return event instanceof Refusal ? event.rejection : (event as E)
  }
}

/**
 * The same for values given by position: `names[i]` is the field that `cells[i]` is for, undefined where there is
 * nothing. Fields that are not named take their defaults. For files, whose columns are known once and for all.
 */
export function compileCellsReader(
  schema: EventSchema,
  names: readonly string[],
): (cells: readonly unknown[]) => object | Rejection {
  const defaults = Object.fromEntries(schema.avro.fields.map((field) => [field.name, field.default ?? null]))
  const reads = names.map((name) => fieldReader(schema.avro.fields.find((field) => field.name === name)!))
  return (cells) => {
    const event: Record<string, unknown> = { ...defaults }
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      const result = reads[i]!(cells[i], name)
      if (result instanceof Refusal) return result.rejection
      event[name] = result
    }
    return event
  }
}

/** Tells a rejection from any value that a producer can write. */
class Refusal {
  readonly rejection: Rejection

  constructor(rejection: Rejection) {
    this.rejection = rejection
  }
}

type ValueReader = (value: unknown, field: string) => unknown

function recordReader(record: AvroRecord): ValueReader {
  const fields = record.fields.map((field) => ({ name: field.name, read: fieldReader(field) }))
  const blank = Object.fromEntries(fields.map(({ name }) => [name, null]))
  return (value, path) => {
    if (!isObject(value)) return invalid(path, 'an object', value)
    const event: Record<string, unknown> = { ...blank }
    for (const { name, read } of fields) {
      const result = read(Object.hasOwn(value, name) ? value[name] : undefined, name)
      if (result instanceof Refusal) return result
      event[name] = result
    }
    return event
  }
}

function fieldReader(field: AvroField): ValueReader {
  const read = valueReader(field.type)
  const optional = Object.hasOwn(field, 'default')
  return (value, name) => {
    if (value !== undefined && (value !== null || isNullable(field.type))) return read(value, name)
    if (optional) return structuredCloneOf(field.default)
    return new Refusal(reject('FIELD_MISSING', `${name} is missing`, name))
  }
}

function valueReader(type: AvroType): ValueReader {
  if (typeof type === 'string') return primitiveReader(type)
  if ('type' in type) {
    switch (type.type) {
      case 'long':
        return readTime
      case 'enum':
        return (value, field) =>
          type.symbols.includes(value as string) ? value : invalid(field, `one of ${type.symbols.join(', ')}`, value)
      case 'array':
        return arrayReader(valueReader(type.items))
      case 'map':
        return mapReader(valueReader(type.values))
      case 'record':
        return recordReader(type)
    }
  }
  const read = valueReader(type.find((branch) => branch !== 'null') ?? 'null')
  return (value, field) => (value === null || value === '' ? null : read(value, field))
}

function primitiveReader(type: Extract<AvroType, string>): ValueReader {
  switch (type) {
    case 'null':
      return (value, field) => (value === null ? null : invalid(field, 'null', value))
    case 'boolean':
      return (value, field) => (typeof value === 'boolean' ? value : invalid(field, 'true or false', value))
    case 'int':
      return (value, field) =>
        Number.isInteger(value) && value === (Number(value) | 0) ? value : notInteger(value, field)
    case 'long':
      return (value, field) =>
        Number.isInteger(value) && Math.abs(value as number) < maxLong ? value : notInteger(value, field)
    case 'float':
    case 'double':
      return readNumber
    case 'bytes':
      return (value, field) => (value instanceof Uint8Array ? value : invalid(field, 'bytes', value))
    case 'string':
      return readText
  }
}

function readText(value: unknown, field: string): unknown {
  if (typeof value !== 'string') return invalid(field, 'text', value)
  if (value === '') return new Refusal(reject('FIELD_INVALID', `${field} is empty`, field))
  return value.isWellFormed() ? value : invalid(field, 'well-formed Unicode', value)
}

function readNumber(value: unknown, field: string): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : notFinite(value, field)
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity'
    ? notFinite(value, field)
    : invalid(field, 'a number', value)
}

/** Larger integers do not survive Avro as JavaScript numbers: their zigzag form has more than 53 bits. */
const maxLong = 2 ** 52
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/

function readTime(value: unknown, field: string): unknown {
  const ms = typeof value === 'string' && isoTime.test(value) ? Date.parse(value) : value
  if (Number.isInteger(ms) && Math.abs(ms as number) < maxLong) return ms
  const reason = `${field} should be milliseconds since 1970, or a time like 2026-01-31T08:00:00Z; it is ${shown(value)}`
  return new Refusal(reject('TIME_INVALID', reason, field))
}

function arrayReader(readItem: ValueReader): ValueReader {
  return (value, field) => {
    if (!Array.isArray(value)) return invalid(field, 'a list', value)
    const items: unknown[] = []
    for (const item of value) {
      const result = readItem(item, field)
      if (result instanceof Refusal) return result
      items.push(result)
    }
    return items
  }
}

function mapReader(readValue: ValueReader): ValueReader {
  return (value, field) => {
    if (!isObject(value)) return invalid(field, 'an object', value)
    const map: Record<string, unknown> = {}
    for (const name of Object.keys(value)) {
      if (name === '__proto__' || !name.isWellFormed()) return invalid(field, 'a map with ordinary names', name)
      const result = readValue(value[name], field)
      if (result instanceof Refusal) return result
      map[name] = result
    }
    return map
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNullable(type: AvroType): boolean {
  return Array.isArray(type) && type.includes('null')
}

/** Defaults are shared by all events; only what could be changed through one of them is copied. */
function structuredCloneOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value
}

function invalid(field: string, expected: string, value: unknown): Refusal {
  return new Refusal(reject('FIELD_INVALID', `${field} should be ${expected}; it is ${describe(value)}`, field))
}

function notFinite(value: unknown, field: string): Refusal {
  return new Refusal(reject('NUMBER_NOT_FINITE', `${field} is ${shown(value)}`, field))
}

function notInteger(value: unknown, field: string): Refusal {
  return typeof value === 'number' && !Number.isFinite(value)
    ? notFinite(value, field)
    : invalid(field, 'an integer', value)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : shown(value)
}
