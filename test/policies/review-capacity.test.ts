import { describe, expect, it } from 'vitest'
import { reviewCapacity } from '../../processors/policies/review-capacity.ts'
import { RheoError } from '../../schemas/errors.ts'
import { DAY, START_MS, simulateOutcomes } from './outcomes.ts'

describe('reviewCapacity', () => {
  it('sends about so many payments a day, the riskiest', () => {
    const policy = reviewCapacity(100)
    const trainer = policy.createTrainer()
    const outcomes = simulateOutcomes(4, { days: 15, perDay: 8_000 })
    let settings = policy.initialSettings
    let sent = 0
    outcomes.forEach((outcome, i) => {
      if (i % 500 === 0) settings = trainer.settings()
      const { decision } = policy.decide(outcome.probability, outcome.logit, outcome.amount, settings)
      if (outcome.eventTimeMs >= START_MS + 5 * DAY && decision === 'review') sent++
      trainer.observeScore(outcome)
    })
    expect(sent / 10).toBeGreaterThan(90)
    expect(sent / 10).toBeLessThan(110)
  })

  it('allows everything on the first day', () => {
    const policy = reviewCapacity(100)
    const trainer = policy.createTrainer()
    for (const outcome of simulateOutcomes(5, { days: 1, perDay: 500 })) trainer.observeScore(outcome)
    expect(trainer.settings()).toEqual(policy.initialSettings)
    expect(policy.decide(0.999, 7, 1, policy.initialSettings).decision).toBe('allow')
  })

  it('reviews all where there are fewer than the reviewers can see', () => {
    const policy = reviewCapacity(1_000)
    const trainer = policy.createTrainer()
    for (const outcome of simulateOutcomes(6, { days: 4, perDay: 500 })) trainer.observeScore(outcome)
    expect(policy.decide(0.0001, -9, 1, trainer.settings())).toEqual({ decision: 'review', threshold: 0 })
  })

  it('continues from its encoded state as if unbroken', () => {
    const policy = reviewCapacity(50, { days: 3 })
    const unbroken = policy.createTrainer()
    let resumed = policy.createTrainer()
    simulateOutcomes(7, { days: 6, perDay: 400 }).forEach((outcome, i) => {
      if (i % 700 === 0) resumed = policy.decodeTrainer(resumed.encode())
      unbroken.observeScore(outcome)
      resumed.observeScore(outcome)
    })
    expect(resumed.settings()).toEqual(unbroken.settings())
    expect(resumed.encode()).toEqual(unbroken.encode())
  })

  it('refuses settings out of range', () => {
    expect(() => reviewCapacity(0)).toThrow(RheoError)
    expect(() => reviewCapacity(10, { days: 2, minDays: 3 })).toThrow(RheoError)
  })
})
