import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareRecall } from '../../processors/metrics/bootstrap.ts'
import { brierScore, calibrationError, logLoss, reliabilityBins } from '../../processors/metrics/calibration.ts'
import { createFadingMetrics } from '../../processors/metrics/fading-metrics.ts'
import { rankScores } from '../../processors/metrics/ranked-scores.ts'
import { recallAtFpr } from '../../processors/metrics/ranking.ts'
import { ratesByPeriod } from '../../processors/metrics/rates-by-period.ts'
import { createRandom } from '../../processors/random.ts'

const floats = (...values: number[]) => Float64Array.from(values)
const bytes = (...values: number[]) => Uint8Array.from(values)

describe('calibration', () => {
  test('log loss and Brier score by hand', () => {
    expect(logLoss(floats(0.5, 0.25), bytes(1, 0))).toBeCloseTo((Math.LN2 - Math.log(0.75)) / 2, 12)
    expect(brierScore(floats(0.5, 0.25), bytes(1, 0))).toBeCloseTo((0.25 + 0.0625) / 2, 12)
    expect(logLoss(floats(0), bytes(1))).toBeLessThan(40)
  })

  test('a forecaster that is right on average in each bin has no calibration error', () => {
    const bins = reliabilityBins(floats(0.5, 0.5, 0.25, 0.25, 0.25, 0.25), bytes(1, 0, 1, 0, 0, 0), 2)
    expect(bins).toEqual([
      { count: 4, predicted: 0.25, observed: 0.25 },
      { count: 2, predicted: 0.5, observed: 0.5 },
    ])
    expect(calibrationError(bins)).toBe(0)
  })

  test('one that always says 0.9 and is right half the time errs by 0.4', () => {
    expect(calibrationError(reliabilityBins(floats(0.9, 0.9), bytes(1, 0), 10))).toBeCloseTo(0.4, 12)
  })

  test('bins hold every payment once, never split ties, and their means are those of the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean()), { minLength: 1 }), (rows) => {
        const probabilities = Float64Array.from(rows, ([tenths]) => tenths / 10)
        const labels = Uint8Array.from(rows, ([, fraud]) => (fraud ? 1 : 0))
        const bins = reliabilityBins(probabilities, labels, 5)
        const sum = (of: (bin: (typeof bins)[number]) => number) => bins.reduce((total, bin) => total + of(bin), 0)
        expect(bins.length).toBeLessThanOrEqual(5)
        expect(sum((bin) => bin.count)).toBe(rows.length)
        expect(sum((bin) => bin.count * bin.observed)).toBeCloseTo(
          labels.reduce((a, b) => a + b, 0),
          9,
        )
        expect(sum((bin) => bin.count * bin.predicted)).toBeCloseTo(
          probabilities.reduce((a, b) => a + b, 0),
          9,
        )
      }),
    )
  })
})

describe('fading metrics', () => {
  test('with factor 1 they are the plain means', () => {
    const metrics = createFadingMetrics(1)
    metrics.update(0.9, true, true)
    metrics.update(0.2, false, true)
    metrics.update(0.8, true, false)
    metrics.update(0.1, false, false)
    const reading = metrics.read()
    expect(reading.recall).toBe(0.5)
    expect(reading.precision).toBe(0.5)
    expect(reading.falsePositiveRate).toBe(0.5)
    expect(reading.logLoss).toBeCloseTo(-(Math.log(0.9) + Math.log(0.2) + Math.log(0.2) + Math.log(0.9)) / 4, 12)
  })

  test('they equal the weighted sums α^age, written out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (rows, factor) => {
          const metrics = createFadingMetrics(factor)
          for (const [flagged, fraud] of rows) metrics.update(0.5, flagged, fraud)
          const weigh = (of: (flagged: boolean, fraud: boolean) => boolean) =>
            rows.reduce(
              (sum, [flagged, fraud], i) => sum + (of(flagged, fraud) ? factor ** (rows.length - 1 - i) : 0),
              0,
            )
          const frauds = weigh((_, fraud) => fraud)
          if (frauds > 0) expect(metrics.read().recall).toBeCloseTo(weigh((a, b) => a && b) / frauds, 9)
        },
      ),
    )
  })

  test('they forget: after a change only the new state counts', () => {
    const metrics = createFadingMetrics(0.9)
    for (let i = 0; i < 200; i++) metrics.update(0.9, true, true)
    for (let i = 0; i < 200; i++) metrics.update(0.1, false, true)
    expect(metrics.read().recall).toBeLessThan(1e-6)
  })
})

describe('rates by period', () => {
  test('by hand: two weeks, one of them without frauds', () => {
    const rates = ratesByPeriod(floats(5, 1, 2, 12, 13, -1), bytes(1, 1, 0, 0, 0, 1), bytes(1, 0, 0, 1, 0, 1), 0, 10)
    expect(rates).toEqual([
      { fromMs: 0, untilMs: 10, frauds: 2, negatives: 1, recall: 0.5, falsePositiveRate: 0 },
      { fromMs: 10, untilMs: 20, frauds: 0, negatives: 2, recall: Number.NaN, falsePositiveRate: 0.5 },
    ])
  })
})

describe('bootstrap of recall', () => {
  const random = createRandom(5, 0)
  const n = 20_000
  const labels = Uint8Array.from({ length: n }, () => (random.chance(0.05) ? 1 : 0))
  const noisy = (separation: number) => Float64Array.from(labels, (label) => label * separation + random.normal())
  const weak = noisy(1.5)
  const strong = noisy(2.5)
  const options = { seed: 11, resamples: 200 }

  test('the value is the recall itself, the interval holds it and is as wide as binomial theory says', () => {
    const { first } = compareRecall(labels, { scores: weak, fpr: 0.1 }, { scores: strong, fpr: 0.1 }, options)
    expect(first.value).toBe(recallAtFpr(rankScores(weak, labels), 0.1))
    const frauds = labels.reduce((a, b) => a + b, 0)
    const theory = 1.96 * Math.sqrt((first.value * (1 - first.value)) / frauds)
    expect((first.high - first.low) / 2 / theory).toBeGreaterThan(0.75)
    expect((first.high - first.low) / 2 / theory).toBeLessThan(1.6)
    expect(first.low).toBeLessThan(first.value)
    expect(first.high).toBeGreaterThan(first.value)
  })

  test('a better arm is seen, an arm against itself differs by exactly nothing', () => {
    const better = compareRecall(labels, { scores: weak, fpr: 0.1 }, { scores: strong, fpr: 0.1 }, options)
    expect(better.difference.low).toBeGreaterThan(0)
    const same = compareRecall(labels, { scores: weak, fpr: 0.1 }, { scores: weak, fpr: 0.1 }, options)
    expect(same.difference).toEqual({ value: 0, low: 0, high: 0 })
  })

  test('the same seed gives the same interval, another seed another', () => {
    const run = (seed: number) =>
      compareRecall(labels, { scores: weak, fpr: 0.1 }, { scores: strong, fpr: 0.05 }, { seed, resamples: 50 })
    expect(run(1)).toEqual(run(1))
    expect(run(1)).not.toEqual(run(2))
  })
})
