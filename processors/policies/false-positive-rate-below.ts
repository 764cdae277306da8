import { RheoError } from '../../schemas/errors.ts'
import { DayHistogram } from './day-histogram.ts'
import type { Policy, PolicyTrainer, Verdict } from './policy.ts'
import { ALLOW_ALL, decideByThreshold, thresholdSettings } from './threshold-policy.ts'

export interface FalsePositiveRateOptions {
  /** Days of payments, by event time, whose labels set the threshold: the last ones visible. Default 7, a whole week. */
  readonly days?: number
  /**
   * Negatives that must be visible before anything is cut; until then every payment is allowed. Default 30 / rate: 30
   * payments above the threshold, so that the rate is known to about a fifth.
   */
  readonly minNegatives?: number
  /** What happens to payments above the threshold. Default review. */
  readonly above?: Verdict
}

/**
 * Keeps the share of legitimate payments that are stopped at `rate`, causally: the threshold is the quantile of the
 * scores, as they were served, of the payments that turned out legitimate in the last label-visible days. It holds
 * whatever the delay of the labels, as long as the scores of legitimate payments keep their distribution over that
 * delay.
 */
export function falsePositiveRateBelow(rate: number, options: FalsePositiveRateOptions = {}): Policy {
  const { days = 7, minNegatives = Math.ceil(30 / rate), above = 'review' } = options
  if (!(rate > 0 && rate < 1) || !Number.isInteger(days) || days < 1 || days > 366) {
    throw new RheoError('CONFIG_INVALID', `falsePositiveRateBelow(${rate}) over ${days} days is out of range`, {
      hint: 'The rate lies between 0 and 1, and days is a whole number from 1 to 366.',
    })
  }

  const trainerOver = (negatives: DayHistogram): PolicyTrainer => ({
    observeScore: () => undefined,
    observeOutcome({ logit, label, eventTimeMs }) {
      if (label === 0) negatives.add(logit, eventTimeMs)
    },
    correctOutcome({ logit, label, eventTimeMs }) {
      if (label === 0) negatives.add(logit, eventTimeMs)
      else negatives.remove(logit, eventTimeMs)
    },
    settings() {
      const total = negatives.total()
      return total < minNegatives ? ALLOW_ALL : thresholdSettings(negatives.upperQuantile(rate * total))
    },
    encode: () => negatives.encode(),
  })

  return {
    id: 'false-positive-rate-below',
    version: `1;rate=${rate};days=${days};min=${minNegatives};above=${above}`,
    initialSettings: ALLOW_ALL,
    createTrainer: () => trainerOver(new DayHistogram(days)),
    decodeTrainer: (bytes) => trainerOver(DayHistogram.decode(bytes)),
    decide: (_probability, logit, _amount, settings) => decideByThreshold(logit, settings, above),
  }
}
