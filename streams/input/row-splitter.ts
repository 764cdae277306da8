import { type Rejection, reject } from '../../schemas/rejection.ts'

/** A stretch of the file that is one row. `bytes` is only valid until the next chunk is fed. */
export type OnRow = (bytes: Buffer, start: number, end: number, line: number) => void

/** A row that is none: its first bytes are kept. */
export type OnBroken = (rejection: Rejection, raw: Uint8Array, line: number) => void

/**
 * Where the row that starts at `start` ends: the position of its line feed, -1 when it goes on past `limit`,
 * `openQuote` when it does so inside quotes, or `stray` when something stands behind a closing quote.
 */
export type FindRowEnd = (bytes: Buffer, start: number, limit: number) => number

export const stray = -2
export const openQuote = -3

/** What a rejected row keeps of its bytes at most: enough to recognise it, and to fit a dead letter. */
export const maxKeptBytes = 64 * 1024

/** A quoted field with line breaks in it may reach this far; beyond, its opening quote is taken as a slip. */
const maxQuotedBytes = 256 * 1024

/**
 * Cuts chunks into rows, with bounded memory: a row longer than `maxRowBytes` is handed to `onBroken` with its first
 * bytes, and the rest of it is skipped. After a stray quote only that line is lost.
 */
export function createRowSplitter(findEnd: FindRowEnd, maxRowBytes: number, onRow: OnRow, onBroken: OnBroken) {
  const tooLong = `the row has more than ${maxRowBytes} bytes`
  let held: Buffer[] = [] // the row that the last chunk ended in
  let heldBytes = 0
  let line = 1
  let skipping = false // inside the rest of a row that was too long

  /** Hands over the complete rows; returns where the incomplete one starts. */
  function takeRows(bytes: Buffer, atEnd: boolean): number {
    let start = 0
    while (start < bytes.length) {
      const end = findEnd(bytes, start, bytes.length)
      if (end >= 0) {
        if (end - start <= maxRowBytes) onRow(bytes, start, end, line)
        else breakRow('RECORD_TOO_LARGE', tooLong, bytes, start, end)
        line += 1 + (end > start ? lineFeeds(bytes, start, end) : 0)
        start = end + 1
        continue
      }
      const lineEnd = bytes.indexOf(10, start)
      const isSlip = end === stray || (end === openQuote && (atEnd || bytes.length - start > maxQuotedBytes))
      if (isSlip && (atEnd || lineEnd >= 0)) {
        const slipEnd = lineEnd < 0 ? bytes.length : lineEnd
        breakRow('ROW_UNPARSABLE', 'a quote opens or closes where none should', bytes, start, slipEnd)
        line++
        start = slipEnd + 1
        continue
      }
      if (!atEnd) return start
      onRow(bytes, start, bytes.length, line)
      return bytes.length
    }
    return bytes.length
  }

  function breakRow(
    code: 'ROW_UNPARSABLE' | 'RECORD_TOO_LARGE',
    why: string,
    bytes: Buffer,
    start: number,
    end: number,
  ) {
    const raw = Uint8Array.from(bytes.subarray(start, Math.min(end, start + maxKeptBytes)))
    onBroken(reject(code, `line ${line}: ${why}`), raw, line)
  }

  return {
    feed(chunk: Uint8Array): void {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      const lineEnd = bytes.indexOf(10)
      if (skipping) {
        if (lineEnd < 0) return
        skipping = false
        line++
        takeFrom(bytes.subarray(lineEnd + 1))
        return
      }
      held.push(bytes)
      heldBytes += bytes.length
      if (lineEnd >= 0 || heldBytes > maxRowBytes) takeFrom(held.length === 1 ? bytes : Buffer.concat(held))
      else held[held.length - 1] = Buffer.from(bytes)
    },
    /** The file is complete: its last row may lack a line feed. */
    end(): void {
      takeRows(Buffer.concat(held), true)
      hold(Buffer.alloc(0))
    },
  }

  function takeFrom(bytes: Buffer): void {
    const rest = bytes.subarray(takeRows(bytes, false))
    if (rest.length <= maxRowBytes) {
      hold(rest)
      return
    }
    breakRow('RECORD_TOO_LARGE', tooLong, rest, 0, rest.length)
    line += lineFeeds(rest, 0, rest.length)
    skipping = true
    hold(Buffer.alloc(0))
  }

  function hold(rest: Buffer): void {
    held = rest.length === 0 ? [] : [Buffer.from(rest)]
    heldBytes = rest.length
  }
}

/** NDJSON: a row ends at its line feed, whatever is in it. */
export const findLineEnd: FindRowEnd = (bytes, start) => bytes.indexOf(10, start)

function lineFeeds(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = bytes.indexOf(10, start); at >= 0 && at < end; at = bytes.indexOf(10, at + 1)) count++
  return count
}
