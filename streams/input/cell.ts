import type { AvroType } from '../../schemas/event-schema.ts'
import type { FieldSource } from './input-map.ts'

/** What stands in a column: text in CSV, any JSON value in NDJSON; undefined and null where there is nothing. */
export type ReadCell<Row> = (row: Row) => unknown

/**
 * Turns cells into what the event's field expects; where a cell does not fit, it is passed on as it is, and the
 * event reader says what is wrong with it.
 *
 * @param cellOf how a column is read
 */
export function compileField<Row>(
  source: FieldSource,
  type: AvroType,
  cellOf: (column: string) => ReadCell<Row>,
): ReadCell<Row> {
  if (typeof source === 'string') {
    const read = cellOf(source)
    const convert = converterOf(type)
    return (row) => convert(read(row))
  }
  if ('columns' in source) {
    const reads = source.columns.map(cellOf)
    return (row) => {
      const parts = reads.map((read) => toText(read(row)))
      return parts.every((part) => part === '') ? undefined : parts.join(source.join)
    }
  }
  const read = cellOf(source.column)
  const convert = converterOf(itemsOf(type))
  return (row) => {
    const cell = read(row)
    if (typeof cell !== 'string') return cell ?? []
    return cell
      .split(source.split)
      .filter((part) => part !== '')
      .map(convert)
  }
}

/** The number that a cell holds, read strictly: `NaN` for anything else; undefined for an empty cell. */
export function toNumber(cell: unknown): unknown {
  if (typeof cell !== 'string') return cell ?? undefined
  if (cell === '') return undefined
  return decimal.test(cell) ? Number(cell) : cell
}

const decimal = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/

/** 1, 0, true, false, in text or as values; anything else stays what it is. */
export function toBoolean(cell: unknown): unknown {
  switch (cell) {
    case 1:
    case true:
    case '1':
    case '1.0':
    case 'true':
    case 'True':
    case 'TRUE':
      return true
    case 0:
    case false:
    case '0':
    case '0.0':
    case 'false':
    case 'False':
    case 'FALSE':
      return false
    case '':
    case null:
      return undefined
    default:
      return cell
  }
}

type Converter = (cell: unknown) => unknown

function converterOf(type: AvroType): Converter {
  if (typeof type === 'object' && !('type' in type)) {
    return converterOf(type.find((branch) => branch !== 'null') ?? 'null')
  }
  switch (type) {
    case 'boolean':
      return toBoolean
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return (cell) => (cell === 'nan' || cell === 'inf' || cell === '-inf' ? Number.NaN : toNumber(cell))
    case 'string':
      return (cell) => (typeof cell === 'number' || typeof cell === 'boolean' ? String(cell) : emptyToMissing(cell))
    default:
      return emptyToMissing
  }
}

function emptyToMissing(cell: unknown): unknown {
  return cell === '' ? undefined : cell
}

function itemsOf(type: AvroType): AvroType {
  if (typeof type === 'object' && !('type' in type)) return itemsOf(type.find((branch) => branch !== 'null') ?? 'null')
  return typeof type === 'object' && type.type === 'array' ? type.items : 'string'
}

function toText(cell: unknown): string {
  return cell === undefined || cell === null ? '' : String(cell)
}
