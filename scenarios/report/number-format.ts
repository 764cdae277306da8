/** Numbers as people read them, the same in the report and in the terminal. */

/** A share as per cent: 0.0123 → "1.23 %". "–" when there is none. */
export function percent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : '–'
}

/** A difference of shares in points: 0.055 → "+5.5". */
export function points(difference: number, digits = 1): string {
  if (!Number.isFinite(difference)) return '–'
  const rounded = (100 * difference).toFixed(digits)
  if (Number(rounded) === 0) return (0).toFixed(digits)
  return difference < 0 ? `−${rounded.slice(1)}` : `+${rounded}`
}

export function decimal(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}

/** 1234567 → "1,234,567". */
export function whole(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** "2026-01-05T08:00:00Z"; with milliseconds where there are any. */
export function instant(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z')
}

/** Event time as a day (UTC): "2026-01-05". */
export function day(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}
