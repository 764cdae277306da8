import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
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

/** Days of served scores that stand for the present. */
const SERVED_DAYS = 2
/** So many times `minNegatives` must have been served lately, or the labelled days alone decide. */
const SERVED_FACTOR = 2
/** Expected counts are kept in thousandths. */
const THOUSAND = 1_000
/** Payments that the correction by labels needs before it counts much. */
const PRIOR_NEGATIVES = 50

/**
 * Keeps the share of legitimate payments that are stopped at `rate`, causally.
 *
 * Labels say it best, but late: with labels after a week, the last label-visible days are one to two weeks old, and scores
 * have moved since. So the threshold is the quantile of the scores served in the last two days, each counted by its own
 * probability of being legitimate; and how far such expected counts are off above that threshold is read from the last
 * label-visible days, where both the expected and the true counts are known. Where little is served, the labelled days
 * alone decide.
 */
export function falsePositiveRateBelow(rate: number, options: FalsePositiveRateOptions = {}): Policy {
  const { days = 7, minNegatives = Math.ceil(30 / rate), above = 'review' } = options
  if (!(rate > 0 && rate < 1) || !Number.isInteger(days) || days < 1 || days > 366) {
    throw new RheoError('CONFIG_INVALID', `falsePositiveRateBelow(${rate}) over ${days} days is out of range`, {
      hint: 'The rate lies between 0 and 1, and days is a whole number from 1 to 366.',
    })
  }

  const trainerOver = ({ negatives, expected, served }: Histograms): PolicyTrainer => ({
    observeScore: ({ logit, probability, eventTimeMs }) => served.add(logit, eventTimeMs, thousandths(1 - probability)),
    observeOutcome({ logit, probability, label, eventTimeMs }) {
      if (label === 0) negatives.add(logit, eventTimeMs)
      expected.add(logit, eventTimeMs, thousandths(1 - probability))
    },
    correctOutcome({ logit, label, eventTimeMs }) {
      if (label === 0) negatives.add(logit, eventTimeMs)
      else negatives.remove(logit, eventTimeMs)
    },
    settings() {
      const labelled = negatives.total()
      if (labelled < minNegatives) return ALLOW_ALL
      const lately = served.total() / THOUSAND
      if (lately < SERVED_FACTOR * minNegatives) return thresholdSettings(negatives.upperQuantile(rate * labelled))
      const uncorrected = served.upperQuantile(rate * lately * THOUSAND)
      const truth = negatives.massAbove(uncorrected) + PRIOR_NEGATIVES
      const belief = expected.massAbove(uncorrected) / THOUSAND + PRIOR_NEGATIVES
      return thresholdSettings(served.upperQuantile((rate * lately * THOUSAND * belief) / truth))
    },
    encode: () => encodeHistograms({ negatives, expected, served }),
  })

  return {
    id: 'false-positive-rate-below',
    version: `2;rate=${rate};days=${days};min=${minNegatives};above=${above}`,
    startsAt: `${minNegatives.toLocaleString('en-US')} negatives in ${days} days`,
    initialSettings: ALLOW_ALL,
    createTrainer: () =>
      trainerOver({
        negatives: new DayHistogram(days),
        expected: new DayHistogram(days),
        served: new DayHistogram(SERVED_DAYS),
      }),
    decodeTrainer: (bytes) => trainerOver(decodeHistograms(bytes)),
    decide: (_probability, logit, _amount, settings) => decideByThreshold(logit, settings, above),
  }
}

interface Histograms {
  /** Legitimate payments of the label-visible days. */
  readonly negatives: DayHistogram
  /** The same days: every labelled payment by its probability of being legitimate, in thousandths. */
  readonly expected: DayHistogram
  /** The scores served lately, likewise. */
  readonly served: DayHistogram
}

function thousandths(share: number): number {
  return Math.round(share * THOUSAND)
}

function encodeHistograms({ negatives, expected, served }: Histograms): Uint8Array {
  const writer = new ByteWriter()
  for (const histogram of [negatives, expected, served]) writer.blob(histogram.encode())
  return writer.take()
}

function decodeHistograms(bytes: Uint8Array): Histograms {
  const reader = new ByteReader(bytes)
  const [negatives, expected, served] = [reader.blob(), reader.blob(), reader.blob()].map(DayHistogram.decode)
  return { negatives: negatives!, expected: expected!, served: served! }
}
