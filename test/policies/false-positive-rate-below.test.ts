import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { falsePositiveRateBelow } from '../../processors/policies/false-positive-rate-below.ts'
import type { Outcome, PolicySettings, PolicyTrainer } from '../../processors/policies/policy.ts'
import { sameSettings } from '../../processors/policies/policy.ts'
import { normalQuantile } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'
import { DAY, EXACT_QUANTILE, START_MS, simulateOutcomes } from './outcomes.ts'

const policy = falsePositiveRateBelow(0.012)
const negative = (logit: number, eventTimeMs = START_MS): Outcome => ({
  logit,
  probability: 0,
  label: 0,
  eventTimeMs,
  amount: 1,
})

/** Decides every payment by the settings of its time, labels visible `delayMs` later; false-positive rate after day `from`. */
function realisedRate(outcomes: readonly Outcome[], delayMs: number, from: number): number {
  const trainer = policy.createTrainer()
  let settings: PolicySettings = policy.initialSettings
  let visible = 0
  let stopped = 0
  let negatives = 0
  outcomes.forEach((outcome, i) => {
    while (outcomes[visible]!.eventTimeMs + delayMs <= outcome.eventTimeMs) trainer.observeOutcome(outcomes[visible++]!)
    if (i % 1_000 === 0) settings = trainer.settings()
    if (outcome.label === 1 || outcome.eventTimeMs < START_MS + from * DAY) return
    negatives++
    if (policy.decide(outcome.probability, outcome.logit, outcome.amount, settings).decision !== 'allow') stopped++
  })
  return stopped / negatives
}

describe('falsePositiveRateBelow', () => {
  it('finds the quantile of the legitimate scores to two hundredths of the rate', () => {
    // With a perfect sample the error is that of the bins alone.
    for (const rate of [0.012, 0.001] as const) {
      const exact = falsePositiveRateBelow(rate)
      const trainer = exact.createTrainer()
      for (const { logit } of perfectSample(400_000)) trainer.observeOutcome(negative(logit))
      // 2 % of the rate are at least 0.0085 log-odds here
      expect(Math.abs(trainer.settings()[0]! - EXACT_QUANTILE[rate])).toBeLessThan(0.0085)
    }
  })

  it.each([
    ['15 minutes', 900_000, 3],
    ['1 day', DAY, 4],
    ['7 days', 7 * DAY, 10],
  ])('holds the rate with labels after %s', (_, delayMs, from) => {
    const outcomes = simulateOutcomes(1, { days: 20, perDay: 10_000 })
    const rate = realisedRate(outcomes, delayMs, from)
    expect(rate).toBeGreaterThan(0.0112)
    expect(rate).toBeLessThan(0.0128)
  })

  it('follows a shift of the scores within its window', () => {
    const outcomes = simulateOutcomes(2, { days: 30, perDay: 5_000 }).map((outcome) =>
      outcome.eventTimeMs < START_MS + 10 * DAY ? outcome : { ...outcome, logit: outcome.logit + 2 },
    )
    const rate = realisedRate(outcomes, DAY, 19)
    expect(rate).toBeGreaterThan(0.0105)
    expect(rate).toBeLessThan(0.0135)
  })

  it('allows everything until enough negatives are visible', () => {
    const trainer = policy.createTrainer()
    for (let i = 0; i < 2_499; i++) trainer.observeOutcome(negative(-5 + i / 1_000))
    expect(policy.decide(0.99, 4.6, 10, trainer.settings())).toEqual({ decision: 'allow', threshold: 1 })
    trainer.observeOutcome(negative(0))
    expect(policy.decide(0.99, 4.6, 10, trainer.settings()).decision).toBe('review')
  })

  it('forgets what is older than its days', () => {
    const trainer = falsePositiveRateBelow(0.1, { days: 2, minNegatives: 10 }).createTrainer()
    for (let i = 0; i < 1_000; i++) trainer.observeOutcome(negative(5, START_MS + i))
    for (let i = 0; i < 1_000; i++) trainer.observeOutcome(negative(-5, START_MS + 3 * DAY + i))
    expect(trainer.settings()[0]).toBeLessThan(-4.9)
    trainer.observeOutcome(negative(5, START_MS)) // older than the window: changes nothing
    expect(trainer.settings()[0]).toBeLessThan(-4.9)
  })

  it('takes of its oldest day only the share inside the window', () => {
    const trainer = falsePositiveRateBelow(0.5, { days: 1, minNegatives: 1 }).createTrainer()
    for (let i = 0; i < 1_000; i++) trainer.observeOutcome(negative(5, START_MS + i))
    for (let i = 0; i < 600; i++) trainer.observeOutcome(negative(-5, START_MS + 1.25 * DAY))
    // 750 of the first day's 1,000 are left against 600: the median lies among them
    expect(trainer.settings()[0]).toBeGreaterThan(4.9)
    for (let i = 0; i < 10; i++) trainer.observeOutcome(negative(-5, START_MS + 1.75 * DAY))
    expect(trainer.settings()[0]).toBeLessThan(-4.9)
  })

  it('ends as if a corrected label had been right from the start', () => {
    const [right, corrected] = [policy.createTrainer(), policy.createTrainer()]
    for (const outcome of simulateOutcomes(3, { days: 2, perDay: 5_000 })) {
      right.observeOutcome(outcome)
      corrected.observeOutcome({ ...outcome, label: 0 })
      if (outcome.label === 1) corrected.correctOutcome(outcome)
    }
    expect(corrected.encode()).toEqual(right.encode())
  })

  it('continues from its encoded state as if unbroken', () => {
    const outcome = fc.record({
      logit: fc.double({ min: -40, max: 40, noNaN: true }),
      day: fc.nat(12),
      label: fc.constantFrom<0 | 1>(0, 1),
    })
    const small = falsePositiveRateBelow(0.2, { minNegatives: 3 })
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 60 }), fc.nat(60), (stream, cut) => {
        const unbroken = small.createTrainer()
        let resumed: PolicyTrainer = small.createTrainer()
        stream.forEach(({ logit, day, label }, i) => {
          if (i === cut) resumed = small.decodeTrainer(resumed.encode())
          const seen = { ...negative(logit, START_MS + day * DAY + i), label }
          unbroken.observeOutcome(seen)
          resumed.observeOutcome(seen)
          expect(sameSettings(resumed.settings(), unbroken.settings())).toBe(true)
        })
        expect(resumed.encode()).toEqual(unbroken.encode())
      }),
    )
  })

  it('refuses a rate or a number of days out of range', () => {
    for (const rate of [0, 1, -0.1, Number.NaN]) expect(() => falsePositiveRateBelow(rate)).toThrow(RheoError)
    for (const days of [0, 1.5, 1_000]) expect(() => falsePositiveRateBelow(0.01, { days })).toThrow(RheoError)
  })
})

/** normal(-5, 1.5) by its quantiles. */
function perfectSample(count: number): { logit: number }[] {
  return Array.from({ length: count }, (_, i) => ({ logit: -5 + 1.5 * normalQuantile((i + 0.5) / count) }))
}
