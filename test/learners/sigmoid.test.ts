import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exp, log, logLoss, logOdds, sigmoid } from '../../processors/learners/sigmoid.ts'

const ulps = (a: number, b: number): number => {
  const [x, y] = new BigInt64Array(Float64Array.of(a, b).buffer)
  return Math.abs(Number(x! - y!))
}

describe('exp, log and sigmoid', () => {
  it('agree with the exact functions to two units in the last place', () => {
    fc.assert(
      fc.property(fc.double({ min: -745, max: 709.7, noNaN: true }), (x) => {
        expect(ulps(exp(x), Math.exp(x))).toBeLessThanOrEqual(2)
      }),
    )
    fc.assert(
      fc.property(fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true }), (x) => {
        expect(ulps(log(x), Math.log(x))).toBeLessThanOrEqual(2)
      }),
    )
  })

  it('are exact to the bit on known values, so that a score is the same on every engine', () => {
    expect([exp(2.5), exp(-20.5), sigmoid(1.25), sigmoid(-7.5), log(7), log(0.3)]).toEqual([
      12.182493960703473, 1.2501528663867426e-9, 0.7772998611746911, 0.0005527786369235996, 1.9459101490553132,
      -1.2039728043259361,
    ])
  })

  it('keep the ends of their ranges', () => {
    expect([exp(-800), exp(710), exp(Number.NaN)]).toEqual([0, Number.POSITIVE_INFINITY, Number.NaN])
    expect([log(0), log(-1), log(Number.POSITIVE_INFINITY)]).toEqual([
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ])
    expect([sigmoid(-Infinity), sigmoid(0), sigmoid(Infinity)]).toEqual([0, 0.5, 1])
  })

  it('never rank two logits the wrong way round', () => {
    const logit = fc.double({ min: -50, max: 50, noNaN: true })
    fc.assert(fc.property(logit, logit, (a, b) => sigmoid(Math.min(a, b)) <= sigmoid(Math.max(a, b))))
  })

  it('undo each other', () => {
    fc.assert(
      fc.property(fc.double({ min: -20, max: 20, noNaN: true }), (x) => {
        expect(logOdds(sigmoid(x))).toBeCloseTo(x, 6)
      }),
    )
  })

  it('give the log loss without overflow', () => {
    expect(logLoss(0, 1)).toBeCloseTo(Math.LN2, 15)
    expect(logLoss(3, 0)).toBeCloseTo(-Math.log(1 - sigmoid(3)), 12)
    expect(logLoss(-2_000, 1)).toBe(2_000)
    expect(logLoss(2_000, 1)).toBe(0)
  })
})
