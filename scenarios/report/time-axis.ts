import { linearScale, type Scale, type Tick } from './chart.ts'

const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MOST_TICKS = 14

export interface TimeAxis {
  readonly x: Scale
  readonly ticks: readonly Tick[]
}

/** Event time from left to right, with days or months (UTC) as ticks, 14 at most. */
export function timeAxis(fromMs: number, untilMs: number, left: number, right: number): TimeAxis {
  const days = (untilMs - fromMs) / DAY_MS
  return {
    x: linearScale(fromMs, untilMs, left, right),
    ticks: days > 7 * MOST_TICKS ? monthTicks(fromMs, untilMs) : dayTicks(fromMs, untilMs),
  }
}

function dayTicks(fromMs: number, untilMs: number): Tick[] {
  const days = (untilMs - fromMs) / DAY_MS
  const stepMs = DAY_MS * [1, 2, 7].find((step) => days / step <= MOST_TICKS)!
  const ticks: Tick[] = []
  for (let atMs = Math.ceil(fromMs / DAY_MS) * DAY_MS; atMs <= untilMs; atMs += stepMs) {
    const date = new Date(atMs)
    ticks.push({ value: atMs, label: `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}` })
  }
  return ticks
}

function monthTicks(fromMs: number, untilMs: number): Tick[] {
  const start = new Date(fromMs)
  const first = start.getUTCFullYear() * 12 + start.getUTCMonth()
  const end = new Date(untilMs)
  const months = end.getUTCFullYear() * 12 + end.getUTCMonth() - first
  const step =
    [1, 2, 3, 6, 12].find((size) => months / size <= MOST_TICKS) ?? 12 * Math.ceil(months / (12 * MOST_TICKS))
  const ticks: Tick[] = []
  for (let month = Math.ceil(first / step) * step; month <= first + months; month += step) {
    const value = Date.UTC(Math.floor(month / 12), month % 12, 1)
    const name = MONTHS[month % 12]!
    if (value >= fromMs) ticks.push({ value, label: month % 12 === 0 ? `${name} ${Math.floor(month / 12)}` : name })
  }
  return ticks
}
