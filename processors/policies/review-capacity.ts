import { RheoError } from '../../schemas/errors.ts'
import { DayHistogram } from './day-histogram.ts'
import type { Policy, PolicyTrainer, Verdict } from './policy.ts'
import { ALLOW_ALL, decideByThreshold, thresholdSettings } from './threshold-policy.ts'

export interface ReviewCapacityOptions {
  /** Days of scores, by event time, that set the threshold. Default 7, a whole week. */
  readonly days?: number
  /** Days of scores that must be seen before anything is cut; until then every payment is allowed. Default 1. */
  readonly minDays?: number
  /** What happens to payments above the threshold. Default review. */
  readonly above?: Verdict
}

/**
 * Sends about `perDay` payments a day, the riskiest, to the reviewers: the threshold that so many of the scores of the
 * last days exceeded, as they were served. Needs no labels. Where there are fewer payments than the reviewers can see,
 * they see all.
 */
export function reviewCapacity(perDay: number, options: ReviewCapacityOptions = {}): Policy {
  const { days = 7, minDays = 1, above = 'review' } = options
  if (!(perDay > 0) || !Number.isInteger(days) || days < 1 || days > 366 || !(minDays > 0 && minDays <= days)) {
    throw new RheoError('CONFIG_INVALID', `reviewCapacity(${perDay}) over ${days} days is out of range`, {
      hint: 'perDay is above 0, days a whole number from 1 to 366, minDays above 0 and at most days.',
    })
  }

  const trainerOver = (scores: DayHistogram): PolicyTrainer => ({
    observeScore: ({ logit, eventTimeMs }) => scores.add(logit, eventTimeMs),
    observeOutcome: () => undefined,
    correctOutcome: () => undefined,
    settings() {
      const span = scores.spanDays()
      return span < minDays ? ALLOW_ALL : thresholdSettings(scores.upperQuantile(perDay * span))
    },
    encode: () => scores.encode(),
  })

  return {
    id: 'review-capacity',
    version: `1;perDay=${perDay};days=${days};minDays=${minDays};above=${above}`,
    startsAt: `scores of ${minDays} ${minDays === 1 ? 'day' : 'days'}`,
    initialSettings: ALLOW_ALL,
    createTrainer: () => trainerOver(new DayHistogram(days)),
    decodeTrainer: (bytes) => trainerOver(DayHistogram.decode(bytes)),
    decide: (_probability, logit, _amount, settings) => decideByThreshold(logit, settings, above),
  }
}
