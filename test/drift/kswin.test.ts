import { describe, expect, it } from 'vitest'
import { Kswin, kolmogorovSmirnovP } from '../../processors/drift/kswin.ts'
import { RheoError } from '../../schemas/errors.ts'
import { countDrifts, detectionDelays, detectorContract } from './contract.ts'

describe('KSWIN', () => {
  detectorContract(
    () => new Kswin(),
    (bytes) => Kswin.decode(bytes),
  )

  it('has the exact p-values of the two-sample test', () => {
    // Two samples of 3 from one distribution: of the C(6, 3) = 20 orders, 2 differ by 3 and 12 by 2 or more.
    expect(kolmogorovSmirnovP(3, 3)).toBeCloseTo(2 / 20, 12)
    expect(kolmogorovSmirnovP(2, 3)).toBeCloseTo(12 / 20, 12)
    expect(kolmogorovSmirnovP(1, 3)).toBeCloseTo(1, 12)
  })

  it('sees a shift of the mean by one standard deviation', () => {
    const delays = detectionDelays(
      () => new Kswin(),
      (random) => random.normal(),
      (random) => 1 + random.normal(),
      { seeds: 9, calm: 600, limit: 500 },
    )
    expect(delays[4]).toBeLessThan(100)
    expect(delays.at(-1)).toBeLessThan(400)
  })

  it('sees a change of shape that leaves the mean alone', () => {
    const delays = detectionDelays(
      () => new Kswin(),
      (random) => random.normal(),
      (random) => (random.chance(0.5) ? 2 : -2) + 0.3 * random.normal(),
      { seeds: 9, calm: 600, limit: 500 },
    )
    expect(delays.at(-1)).toBeLessThan(200)
  })

  it('raises few false alarms', () => {
    expect(countDrifts(new Kswin(), (random) => random.normal(), 20_000)).toBeLessThanOrEqual(2)
  })

  it('refuses options out of range', () => {
    for (const wrong of [{ alpha: 0 }, { sample: 4 }, { window: 100, sample: 60 }]) {
      expect(() => new Kswin(wrong)).toThrow(RheoError)
    }
  })
})
