import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Text with a style where stdout is a terminal and NO_COLOR is not set; plain otherwise. */
export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout, validateStream: true })
}

/** The same for stderr. */
export function styledError(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr, validateStream: true })
}

/** Progress and remarks: stderr, so that stdout holds results only. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

// C0 and C1 controls, DEL, bidirectional overrides and line separators: all that can repaint or reorder a terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/**
 * Text from events, keys and headers, made safe for a terminal: control characters are shown as `\x1b`, so that the
 * content of an event can neither move the cursor nor change colours nor hide text.
 */
export function safe(text: string): string {
  return text.replace(unsafe, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/**
 * One JSON document on one line. Numbers that JSON does not know (NaN) become null, offsets become numbers; what could
 * repaint a terminal is written as `\u…`, which JSON reads back as it was.
 */
export function printJson(document: unknown): void {
  const text = JSON.stringify(document, (_name, value) => (typeof value === 'bigint' ? Number(value) : value))
  print(text.replace(unsafe, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

/** Rows with columns as wide as their widest cell; numbers to the right. Cells are made safe. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : safe(cell))))
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const isNumber = head.map((_, i) => rows.every((row) => typeof row[i] === 'number'))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [styled('bold', line(head)), ...cells.map(line)].join('\n')
}

/** 1234567.8 → 1,234,567.8 (at most three decimals). */
export function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 })
}

/** 3,725,000 ms → 1 h 02 min; 42,000 ms → 42 s. */
export function shownDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** 734003200 → 700 MiB. */
export function shownBytes(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = sizeBytes
  let unit = 0
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024
  return `${size >= 100 || unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}
