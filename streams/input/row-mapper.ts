import { RheoError } from '../../schemas/errors.ts'
import type { AvroRecord, AvroType, EventSchema } from '../../schemas/event-schema.ts'
import { suggestion } from '../../schemas/nearest-name.ts'
import { isRejection, type Rejection, reject, shown } from '../../schemas/rejection.ts'
import { compileCellsReader } from '../codec/event-reader.ts'
import { compileField, type ReadCell, toBoolean } from './cell.ts'
import type { InputMap } from './input-map.ts'
import { compileTime } from './row-time.ts'

/** What a row says. A row without a time takes the clock's when it is admitted. */
export interface MappedRow {
  readonly kind: 'event'
  readonly event: object
  /** Event time, ms since 1970; NaN where the map names no time. */
  readonly eventTimeMs: number
  /** undefined: the row has no label (yet). */
  readonly label: boolean | undefined
}

export type MapRow<Row> = (row: Row) => MappedRow | Rejection

/**
 * How rows of one shape become events of one type. Throws MAP_INVALID when the map names a field that the event type
 * does not have, or leaves a required one out.
 *
 * @param cellOf how a column of such a row is read; throws where there is no such column
 */
export function compileRowMapper<Row>(
  map: InputMap,
  schema: EventSchema,
  cellOf: (column: string) => ReadCell<Row>,
): MapRow<Row> {
  assertFields(map, schema)
  const types = new Map(schema.avro.fields.map((field) => [field.name, field.type]))
  const fields = Object.entries(map.fields).map(([name, source]) => ({
    name,
    read: compileField(source, types.get(name)!, cellOf),
  }))
  if (map.annotation !== undefined) {
    fields.push({
      name: 'annotation',
      read: compileAnnotation(map.annotation, recordIn(types.get('annotation')!), cellOf),
    })
  }
  const read = compileCellsReader(schema, ['eventTime', ...fields.map((field) => field.name)])
  const cells: unknown[] = []
  const time = map.time
  const timeCell = time === undefined ? undefined : cellOf(time.column)
  const toTimeMs = time === undefined ? undefined : compileTime(time)
  const labelCell = map.label === undefined ? undefined : cellOf(map.label.column)

  return (row) => {
    let eventTimeMs = Number.NaN
    if (time !== undefined) {
      const cell = timeCell!(row)
      eventTimeMs = toTimeMs!(cell)
      if (!(Math.abs(eventTimeMs) < 2 ** 52)) {
        if (cell === undefined || cell === null || cell === '')
          return reject('FIELD_MISSING', `${time.column} is missing`, 'eventTime')
        return reject(
          'TIME_INVALID',
          `${time.column} should be a time (${time.unit}); it is ${shown(cell)}`,
          'eventTime',
        )
      }
    }
    cells[0] = time === undefined ? 0 : eventTimeMs
    for (let i = 0; i < fields.length; i++) cells[i + 1] = fields[i]!.read(row)
    const event = read(cells)
    if (isRejection(event)) return event
    if (labelCell === undefined) return { kind: 'event', event, eventTimeMs, label: undefined }
    const label = toBoolean(labelCell(row))
    if (label !== undefined && typeof label !== 'boolean') {
      return reject(
        'FIELD_INVALID',
        `${map.label!.column} should be 0, 1, true or false; it is ${shown(label)}`,
        'label',
      )
    }
    return { kind: 'event', event, eventTimeMs, label }
  }
}

function assertFields(map: InputMap, schema: EventSchema): void {
  const names = schema.avro.fields.map((field) => field.name).filter((name) => name !== 'eventTime')
  for (const name of Object.keys(map.fields)) {
    if (names.includes(name)) continue
    throw new RheoError('MAP_INVALID', `fields.${name}: a ${schema.name} has no field of this name`, {
      hint: name === 'eventTime' ? 'The event time comes from "time".' : suggestion(name, names),
    })
  }
  if (map.annotation !== undefined && !names.includes('annotation')) {
    throw new RheoError('MAP_INVALID', `annotation: a ${schema.name} has no annotation`)
  }
  for (const field of schema.avro.fields) {
    if (field.name === 'eventTime' || Object.hasOwn(field, 'default') || Object.hasOwn(map.fields, field.name)) continue
    throw new RheoError('MAP_INVALID', `fields.${field.name} is missing: every ${schema.name} needs it`, {
      hint: `Say which column it comes from: "fields": {"${field.name}": "…"}.`,
    })
  }
}

/** A row teaches with whichever key columns it fills; with none it only asks. */
function compileAnnotation<Row>(
  annotation: NonNullable<InputMap['annotation']>,
  type: AvroRecord,
  cellOf: (column: string) => ReadCell<Row>,
): ReadCell<Row> {
  const types = new Map(type.fields.map((field) => [field.name, field.type]))
  const fields = Object.entries(annotation).map(([name, source]) => {
    const fieldType = types.get(name)
    if (fieldType === undefined) {
      throw new RheoError('MAP_INVALID', `annotation.${name}: there is no such key`, {
        hint: suggestion(name, [...types.keys()]),
      })
    }
    return [name, compileField(source, fieldType, cellOf)] as const
  })
  return (row) => {
    const filled = fields
      .map(([name, read]) => [name, read(row)] as const)
      .filter(([, cell]) => cell !== undefined && cell !== null)
    return filled.length === 0 ? null : Object.fromEntries(filled)
  }
}

function recordIn(type: AvroType): AvroRecord {
  if (typeof type === 'object' && !('type' in type)) return recordIn(type.find((branch) => branch !== 'null')!)
  if (typeof type === 'object' && type.type === 'record') return type
  throw new RheoError('MAP_INVALID', 'annotation: the event type has no annotation of several keys')
}
