import { type FindRowEnd, openQuote, stray } from './row-splitter.ts'

const quote = 0x22
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** The fields of the row that `findEnd` found last: one object, reused, because millions of rows go through it. */
export interface CsvRow {
  /** How many fields the row has. */
  count: number
  /** int32 [count]: where each field's text starts and ends; quotes around it are left out. */
  readonly starts: number[]
  readonly ends: number[]
  /** Whether the field holds doubled quotes. */
  readonly escaped: boolean[]
}

/**
 * CSV as of RFC 4180, with any one-byte delimiter; rows end with LF or CRLF. A quote inside an unquoted field is an
 * ordinary character. Works on bytes, because a refused row keeps them, and because slices of decoded chunks would
 * keep whole chunks alive in everyone's state.
 */
export function createCsvScanner(delimiter: number): { readonly row: CsvRow; readonly findEnd: FindRowEnd } {
  const row: CsvRow = { count: 0, starts: [], ends: [], escaped: [] }

  function findEnd(bytes: Buffer, start: number, limit: number): number {
    row.count = 0
    let fieldStart = start
    for (let pos = start; pos < limit; ) {
      const byte = bytes[pos]!
      if (byte === delimiter) {
        addField(fieldStart, pos, false)
        fieldStart = ++pos
      } else if (byte === lineFeed) {
        addField(fieldStart, endOfText(bytes, fieldStart, pos), false)
        return pos
      } else if (byte === quote && pos === fieldStart) {
        const end = quotedField(bytes, pos + 1, limit)
        if (end < 0) return end
        pos = bytes[end] === carriageReturn ? end + 1 : end
        if (bytes[end] !== delimiter) return pos
        fieldStart = ++pos
        if (pos >= limit) addField(pos, pos, false)
      } else {
        pos++
      }
    }
    addField(fieldStart, endOfText(bytes, fieldStart, limit), false) // counts when the file ends here
    return -1
  }

  /** From behind the opening quote to the delimiter, the CR or the LF behind the closing one. */
  function quotedField(bytes: Buffer, start: number, limit: number): number {
    let escaped = false
    for (let pos = bytes.indexOf(quote, start); pos >= 0 && pos < limit; pos = bytes.indexOf(quote, pos)) {
      if (pos + 1 < limit && bytes[pos + 1] === quote) {
        escaped = true
        pos += 2
        continue
      }
      addField(start, pos, escaped)
      const after = pos + 1
      if (after >= limit) return -1
      const next = bytes[after]!
      if (next === delimiter || next === lineFeed) return after
      if (next !== carriageReturn) return stray
      if (after + 1 >= limit) return -1
      return bytes[after + 1] === lineFeed ? after : stray
    }
    return openQuote
  }

  function addField(start: number, end: number, escaped: boolean): void {
    row.starts[row.count] = start
    row.ends[row.count] = end
    row.escaped[row.count] = escaped
    row.count++
  }

  return { row, findEnd }
}

function endOfText(bytes: Buffer, start: number, end: number): number {
  return end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
}

/** One field's text. Ids are kept in state for months: it never shares memory with the chunk. */
export function fieldText(bytes: Buffer, row: CsvRow, index: number): string {
  const start = row.starts[index]!
  const end = row.ends[index]!
  let ascii = true
  for (let pos = start; pos < end; pos++) if (bytes[pos]! > 127) ascii = false
  const text = bytes.toString(ascii ? 'latin1' : 'utf8', start, end)
  return row.escaped[index] ? text.replaceAll('""', '"') : text
}

/** The one of comma, semicolon and tab that the header has most of. */
export function delimiterOf(header: string): number {
  const counts = [',', ';', '\t'].map((delimiter) => header.split(delimiter).length)
  return [0x2c, 0x3b, 0x09][counts.indexOf(Math.max(...counts))]!
}
