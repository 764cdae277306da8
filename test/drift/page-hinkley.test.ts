import { describe, expect, it } from 'vitest'
import { PageHinkley } from '../../processors/drift/page-hinkley.ts'
import { createRandom } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'
import { bernoulli, countDrifts, detectionDelays, detectorContract } from './contract.ts'

describe('Page–Hinkley', () => {
  detectorContract(
    () => new PageHinkley({ threshold: 10 }),
    (bytes) => PageHinkley.decode(bytes),
  )

  it('sees an error rate double from 0.1 to 0.2 within several hundred values', () => {
    const delays = detectionDelays(() => new PageHinkley(), bernoulli(0.1), bernoulli(0.2))
    expect(delays[7]).toBeLessThan(700)
    expect(delays.at(-1)).toBeLessThan(1_500)
  })

  it('raises few false alarms: under a hundred in a million', () => {
    expect(countDrifts(new PageHinkley(), bernoulli(0.1), 200_000)).toBeLessThan(20)
  })

  it('sees a latency that rises from 5 to 6 ms at once, and only the direction it is told to watch', () => {
    const latency = (mean: number) => (random: { normal(): number }) => mean + 0.5 * random.normal()
    const create = () => new PageHinkley({ delta: 0.1, threshold: 10, direction: 'up' })
    expect(detectionDelays(create, latency(5), latency(6)).at(-1)).toBeLessThan(40)
    expect(detectionDelays(create, latency(6), latency(5), { limit: 300 })[0]).toBe(Number.POSITIVE_INFINITY)
  })

  it('starts anew after a drift', () => {
    const detector = new PageHinkley({ threshold: 5 })
    const random = createRandom(8, 1)
    for (let i = 0; i < 500; i++) detector.update(random.float())
    while (detector.update(3 + random.float()) !== 'drift');
    const fresh = new PageHinkley({ threshold: 5 })
    expect(detector.encode()).toEqual(fresh.encode())
  })

  it('refuses options out of range', () => {
    for (const wrong of [{ threshold: 0 }, { delta: -1 }, { retain: 1.1 }]) {
      expect(() => new PageHinkley(wrong)).toThrow(RheoError)
    }
  })
})
