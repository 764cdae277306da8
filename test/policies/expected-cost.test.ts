import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Costs, expectedCost } from '../../processors/policies/expected-cost.ts'
import { RheoError } from '../../schemas/errors.ts'

const costs: Costs = { fraudCost: 15, reviewCost: 4, challengeCost: 0.5, blockCost: 30 }
const decide = (policy: Costs, probability: number, amount: number) =>
  expectedCost(policy).decide(probability, 0, amount, [])

describe('expectedCost', () => {
  it('grows more severe with the probability', () => {
    expect(decide(costs, 0.001, 50).decision).toBe('allow')
    expect(decide(costs, 0.02, 50).decision).toBe('challenge')
    expect(decide(costs, 0.6, 50).decision).toBe('review')
    expect(decide(costs, 0.999, 500).decision).toBe('block')
  })

  it('stops a large payment at a probability at which it allows a small one', () => {
    expect(decide(costs, 0.01, 5).decision).toBe('allow')
    expect(decide(costs, 0.01, 5_000).decision).not.toBe('allow')
  })

  it('reviews from review cost over loss on, where review is the only other action', () => {
    const { threshold } = decide({ fraudCost: 0, reviewCost: 5 }, 0.5, 100)
    expect(threshold).toBeCloseTo(0.05, 12)
    expect(decide({ fraudCost: 0, reviewCost: 5 }, 0.0499, 100).decision).toBe('allow')
    expect(decide({ fraudCost: 0, reviewCost: 5 }, 0.0501, 100).decision).toBe('review')
  })

  it('allows exactly below the threshold it states', () => {
    const cost = fc.double({ min: 0.01, max: 100, noNaN: true })
    const some = fc.record({ fraudCost: cost, reviewCost: cost, challengeCost: cost, blockCost: cost })
    fc.assert(
      fc.property(some, fc.double({ min: 0, max: 1, noNaN: true }), cost, (chosen, probability, amount) => {
        const { decision, threshold } = decide(chosen, probability, amount * 10)
        fc.pre(Math.abs(probability - threshold) > 1e-9)
        expect(decision === 'allow').toBe(probability < threshold)
      }),
    )
  })

  it('takes no action that has no cost', () => {
    expect(decide({ fraudCost: 15 }, 0.999, 1e6)).toEqual({ decision: 'allow', threshold: 1 })
  })

  it('states its costs in its version, in one order', () => {
    expect(expectedCost({ reviewCost: 4, fraudCost: 15 }).version).toBe(
      expectedCost({ fraudCost: 15, reviewCost: 4 }).version,
    )
  })

  it('refuses costs below 0 and shares above 1', () => {
    expect(() => expectedCost({ fraudCost: -1 })).toThrow(RheoError)
    expect(() => expectedCost({ fraudCost: 1, reviewCatches: 1.1 })).toThrow(RheoError)
    expect(() => expectedCost({ fraudCost: Number.NaN })).toThrow(RheoError)
  })
})
