import { toNumber } from './cell.ts'
import type { InputMap } from './input-map.ts'

/** Milliseconds since 1970 of a cell; NaN where it holds no time. */
export type ReadTime = (cell: unknown) => number

const dayMs = 86_400_000
const day = /^\d{4}-\d\d-\d\d$/
const dateTime = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d:?\d\d)?$/

/** Times without a zone are UTC: the same file gives the same events on every machine. */
export function compileTime(time: NonNullable<InputMap['time']>): ReadTime {
  const originMs = time.origin === undefined ? 0 : Date.parse(time.origin)
  switch (time.unit) {
    case 's':
      return (cell) => Math.round(originMs + numberOf(cell) * 1000)
    case 'ms':
      return (cell) => Math.round(originMs + numberOf(cell))
    case 'iso':
      return (cell) => {
        const [, date, clock, zone] = (typeof cell === 'string' && dateTime.exec(cell)) || []
        return date === undefined ? dayStartMs(cell) : Date.parse(`${date}T${clock}${zone ?? 'Z'}`)
      }
    case 'date':
      return time.at === 'end' ? (cell) => dayStartMs(cell) + dayMs - 1 : dayStartMs
  }
}

function numberOf(cell: unknown): number {
  const value = toNumber(cell)
  return typeof value === 'number' ? value : Number.NaN
}

/** 2026-02-30 is no day, though Date would take it for March. */
function dayStartMs(cell: unknown): number {
  if (typeof cell !== 'string' || !day.test(cell)) return Number.NaN
  const ms = Date.parse(`${cell}T00:00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(cell) ? ms : Number.NaN
}
