/** What the causal threshold did in one period of event time. */
export interface PeriodRates {
  /** Half-open, event time in ms. */
  readonly fromMs: number
  readonly untilMs: number
  readonly frauds: number
  readonly negatives: number
  /** Share of the frauds that was flagged; NaN without frauds. */
  readonly recall: number
  /** Share of the negatives that was flagged; NaN without negatives. */
  readonly falsePositiveRate: number
}

/**
 * Realised recall and false-positive rate per period, from the flags given at scoring time.
 *
 * @param timesMs float64 [n], any order
 * @param flags uint8 [n], 1 = the score reached its threshold of that moment
 * @param originMs start of the first period; rows before it are left out
 */
export function ratesByPeriod(
  timesMs: Float64Array,
  labels: Uint8Array,
  flags: Uint8Array,
  originMs: number,
  periodMs: number,
): PeriodRates[] {
  const tallies: { frauds: number; negatives: number; caught: number; wrong: number }[] = []
  for (let i = 0; i < timesMs.length; i++) {
    const period = Math.floor((timesMs[i]! - originMs) / periodMs)
    if (period < 0) continue
    while (tallies.length <= period) tallies.push({ frauds: 0, negatives: 0, caught: 0, wrong: 0 })
    const tally = tallies[period]!
    if (labels[i] === 1) {
      tally.frauds++
      tally.caught += flags[i]!
    } else {
      tally.negatives++
      tally.wrong += flags[i]!
    }
  }
  return tallies.map(({ frauds, negatives, caught, wrong }, period) => ({
    fromMs: originMs + period * periodMs,
    untilMs: originMs + (period + 1) * periodMs,
    frauds,
    negatives,
    recall: caught / frauds,
    falsePositiveRate: wrong / negatives,
  }))
}
