import { RheoError } from '../../schemas/errors.ts'
import type { EventSchema } from '../../schemas/event-schema.ts'
import { suggestion } from '../../schemas/nearest-name.ts'
import { type Rejection, reject, shown } from '../../schemas/rejection.ts'
import { createCsvScanner, delimiterOf, fieldText } from './csv.ts'
import { readFileBytes } from './file-bytes.ts'
import { columnsOf, type InputMap } from './input-map.ts'
import { compileRowMapper, type MappedRow } from './row-mapper.ts'
import { createRowSplitter, findLineEnd, maxKeptBytes } from './row-splitter.ts'

/** A row of a file: an event, or a rejection with the row's bytes (at most the first 64 KiB). */
export type FileRow = (MappedRow & { readonly line: number }) | RejectedRow

export interface RejectedRow {
  readonly kind: 'rejected'
  readonly rejection: Rejection
  readonly raw: Uint8Array
  readonly line: number
}

type Splitter = ReturnType<typeof createRowSplitter>

/**
 * A file's rows in chunks, each chunk read whole: CSV with a header, or NDJSON, plain or gzip. The first chunk comes
 * only after the map was held against the header (MAP_INVALID), so that a wrong map fails before anything runs.
 *
 * @param maxRowBytes longer rows are RECORD_TOO_LARGE
 */
export async function* readFileRows(
  file: string,
  map: InputMap,
  schema: EventSchema,
  maxRowBytes: number,
): AsyncGenerator<readonly FileRow[]> {
  let rows: FileRow[] = []
  let splitter: Splitter | undefined
  for await (const chunk of readFileBytes(file)) {
    splitter ??= isNdjson(file, chunk)
      ? createNdjsonRows(map, schema, maxRowBytes, (row) => rows.push(row))
      : createCsvRows(file, map, schema, maxRowBytes, (row) => rows.push(row))
    splitter.feed(chunk)
    if (rows.length > 0) yield rows
    rows = []
  }
  // Not reached when the bytes ended in an error: half a row could pass for a whole one.
  splitter?.end()
  if (rows.length > 0) yield rows
}

function isNdjson(file: string, firstChunk: Uint8Array): boolean {
  const name = file.replace(/\.gz$/, '')
  if (/\.(ndjson|jsonl|json)$/.test(name)) return true
  return !/\.(csv|tsv|txt)$/.test(name) && firstChunk[0] === 0x7b
}

function createCsvRows(
  file: string,
  map: InputMap,
  schema: EventSchema,
  maxRowBytes: number,
  take: (row: FileRow) => void,
): Splitter {
  let scanner = createCsvScanner(0x2c)
  let width = 0
  let mapRow: ((bytes: Buffer) => MappedRow | Rejection) | undefined

  function readHeader(bytes: Buffer, start: number, end: number): void {
    const header = bytes.toString('utf8', start, end).replace(/^\ufeff/, '')
    scanner = createCsvScanner(delimiterOf(header))
    const bare = Buffer.from(header)
    scanner.findEnd(bare, 0, bare.length)
    const columns = Array.from({ length: scanner.row.count }, (_, i) => fieldText(bare, scanner.row, i).trim())
    assertColumns(map, columns, file)
    const { row } = scanner
    width = row.count
    mapRow = compileRowMapper<Buffer>(map, schema, (column) => {
      const index = columns.indexOf(column)
      return (line) => fieldText(line, row, index)
    })
  }

  function onRow(bytes: Buffer, start: number, end: number, line: number): void {
    if (mapRow === undefined) {
      readHeader(bytes, start, end)
      return
    }
    const { row } = scanner
    if (row.count === 1 && row.starts[0] === row.ends[0]) return // an empty line
    const mapped =
      row.count === width
        ? mapRow(bytes)
        : reject('ROW_UNPARSABLE', `the row has ${row.count} fields, the header ${width}`)
    take(placed(mapped, bytes, start, end, line))
  }

  return createRowSplitter(
    (bytes, start, limit) => scanner.findEnd(bytes, start, limit),
    maxRowBytes,
    onRow,
    (rejection, raw, line) => take({ kind: 'rejected', rejection, raw, line }),
  )
}

function createNdjsonRows(
  map: InputMap,
  schema: EventSchema,
  maxRowBytes: number,
  take: (row: FileRow) => void,
): Splitter {
  const mapRow = compileRowMapper<Readonly<Record<string, unknown>>>(map, schema, (column) => {
    return (row) => (Object.hasOwn(row, column) ? row[column] : undefined)
  })
  let isFirst = true

  function onRow(bytes: Buffer, start: number, end: number, line: number): void {
    const text = bytes.toString('utf8', start, end).replace(/^\ufeff/, '')
    if (text.trim() === '') return
    const row = parseRow(text)
    if (row.kind === 'parsed' && isFirst) assertSomeColumn(map, Object.keys(row.value))
    isFirst = false
    take(placed(row.kind === 'parsed' ? mapRow(row.value) : row, bytes, start, end, line))
  }

  return createRowSplitter(findLineEnd, maxRowBytes, onRow, (rejection, raw, line) =>
    take({ kind: 'rejected', rejection, raw, line }),
  )
}

function parseRow(text: string): { kind: 'parsed'; value: Readonly<Record<string, unknown>> } | Rejection {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { kind: 'parsed', value: value as Readonly<Record<string, unknown>> }
    }
    return reject('ROW_UNPARSABLE', `the line should be a JSON object; it is ${shown(text)}`)
  } catch (error) {
    return reject('ROW_UNPARSABLE', `the line is no JSON: ${shown(error instanceof Error ? error.message : error)}`)
  }
}

function placed(mapped: MappedRow | Rejection, bytes: Buffer, start: number, end: number, line: number): FileRow {
  if (mapped.kind === 'event') {
    return { kind: 'event', event: mapped.event, eventTimeMs: mapped.eventTimeMs, label: mapped.label, line }
  }
  const raw = Uint8Array.from(bytes.subarray(start, Math.min(end, start + maxKeptBytes)))
  return { kind: 'rejected', rejection: mapped, raw, line }
}

function assertColumns(map: InputMap, columns: readonly string[], file: string): void {
  const missing = columnsOf(map).find((column) => !columns.includes(column))
  if (missing === undefined) return
  throw new RheoError('MAP_INVALID', `${file} has no column "${missing}"`, { hint: suggestion(missing, columns) })
}

/** JSON rows may leave fields out, but a first row without the time and without any field was not meant. */
function assertSomeColumn(map: InputMap, columns: readonly string[]): void {
  const named = columnsOf(map)
  const [first] = named
  const isLost =
    map.time === undefined ? !named.some((column) => columns.includes(column)) : !columns.includes(map.time.column)
  if (!isLost || first === undefined) return
  throw new RheoError('MAP_INVALID', `the first row has no field "${first}"`, { hint: suggestion(first, columns) })
}
