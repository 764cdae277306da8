import { sigmoid } from '../../processors/learners/sigmoid.ts'
import type { Outcome } from '../../processors/policies/policy.ts'
import { createRandom } from '../../processors/random.ts'

export const START_MS = Date.UTC(2026, 0, 5)
export const DAY = 86_400_000

/** Payments at an even pace, one in a hundred a fraud; legitimate log-odds normal(-5, 1.5), fraudulent normal(0, 2). */
export function simulateOutcomes(seed: number, { days, perDay }: { days: number; perDay: number }): Outcome[] {
  const random = createRandom(seed, 1)
  return Array.from({ length: days * perDay }, (_, i) => {
    const label = random.chance(0.01) ? 1 : 0
    const logit = label === 1 ? 2 * random.normal() : -5 + 1.5 * random.normal()
    return {
      logit,
      probability: sigmoid(logit),
      label,
      eventTimeMs: START_MS + Math.floor((i / perDay) * DAY),
      amount: random.lognormal(1) * 40,
    }
  })
}

/** The log-odds that a share `rate` of legitimate payments exceeds in `simulateOutcomes`, for the rates tested. */
export const EXACT_QUANTILE = { 0.012: -5 + 1.5 * 2.257129, 0.001: -5 + 1.5 * 3.090232 } as const
