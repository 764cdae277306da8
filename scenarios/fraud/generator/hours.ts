import type { Random } from '../../../processors/random.ts'
import { HOUR_MS } from './generated-payment.ts'

/** How a day's payments spread over its 24 hours (UTC): most people, those at home by day, and those up at night. */
const PROFILES: readonly (readonly number[])[] = [
  [2, 1, 1, 1, 1, 2, 8, 22, 30, 28, 30, 38, 52, 46, 34, 34, 40, 56, 62, 52, 38, 26, 14, 6],
  [1, 1, 1, 1, 1, 2, 10, 26, 48, 62, 66, 58, 46, 42, 46, 48, 42, 34, 26, 18, 12, 8, 4, 2],
  [34, 30, 26, 20, 14, 10, 8, 6, 6, 8, 10, 14, 18, 20, 22, 24, 26, 30, 34, 38, 42, 46, 46, 40],
]
const SLOTS = 512

const hourTables = PROFILES.map(slotTable)

/** Time of day in ms, drawn from a customer's profile. */
export function timeOfDay(profile: number, random: Random): number {
  const hour = hourTables[profile]![random.below(SLOTS)]!
  return hour * HOUR_MS + random.below(HOUR_MS)
}

/** Time of day in ms between 23:00 and 05:00, as the part of the night after midnight or before it. */
export function timeAtNight(random: Random): number {
  const hour = (23 + random.below(6)) % 24
  return hour * HOUR_MS + random.below(HOUR_MS)
}

function slotTable(weights: readonly number[]): Uint8Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const table = new Uint8Array(SLOTS)
  let hour = 0
  let reached = weights[0]!
  for (let slot = 0; slot < SLOTS; slot++) {
    while (((slot + 0.5) / SLOTS) * total > reached && hour < 23) reached += weights[++hour]!
    table[slot] = hour
  }
  return table
}
