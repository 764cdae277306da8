import { describe, expect, it } from 'vitest'
import { Adwin } from '../../processors/drift/adwin.ts'
import { createRandom } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'
import { bernoulli, countDrifts, detectionDelays, detectorContract } from './contract.ts'

describe('ADWIN', () => {
  detectorContract(
    () => new Adwin(),
    (bytes) => Adwin.decode(bytes),
  )

  it('sees an error rate double from 0.1 to 0.2 within a few hundred values', () => {
    const delays = detectionDelays(() => new Adwin(), bernoulli(0.1), bernoulli(0.2))
    expect(delays[7]).toBeLessThan(500)
    expect(delays.at(-1)).toBeLessThan(1_500)
  })

  it('raises no false alarm in 200,000 values of one rate', () => {
    expect(countDrifts(new Adwin(), bernoulli(0.1), 200_000)).toBe(0)
  })

  it('sees a drop as well as a rise, and on any scale', () => {
    const delays = detectionDelays(
      () => new Adwin(),
      (random) => 1_000 * (1 + 0.2 * random.normal()),
      (random) => 1_000 * (0.8 + 0.2 * random.normal()),
    )
    expect(delays.at(-1)).toBeLessThan(500)
  })

  it('keeps the part of the window that agrees: its mean moves to the new level', () => {
    const adwin = new Adwin()
    const random = createRandom(3, 3)
    for (let i = 0; i < 5_000; i++) adwin.update(random.chance(0.1) ? 1 : 0)
    expect(adwin.width).toBe(5_000)
    expect(adwin.mean).toBeCloseTo(0.1, 1)
    for (let i = 0; i < 3_000; i++) adwin.update(random.chance(0.6) ? 1 : 0)
    expect(adwin.width).toBeLessThan(3_200)
    expect(adwin.mean).toBeGreaterThan(0.55)
  })

  it('holds sum and variance of exactly its window', () => {
    const adwin = new Adwin({ delta: 1e-9 })
    const random = createRandom(4, 4)
    let sum = 0
    for (let i = 0; i < 1_000; i++) {
      const value = random.float()
      sum += value
      adwin.update(value)
    }
    expect(adwin.width).toBe(1_000)
    expect(adwin.mean).toBeCloseTo(sum / 1_000, 12)
  })

  it('refuses options out of range', () => {
    for (const wrong of [{ delta: 0 }, { checkEvery: 0 }, { maxBuckets: 1.5 }]) {
      expect(() => new Adwin(wrong)).toThrow(RheoError)
    }
  })
})
