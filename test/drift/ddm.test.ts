import { describe, expect, it } from 'vitest'
import { Ddm } from '../../processors/drift/ddm.ts'
import { createRandom } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'
import { bernoulli, detectionDelays, detectorContract } from './contract.ts'

describe('DDM', () => {
  detectorContract(
    () => new Ddm(),
    (bytes) => Ddm.decode(bytes),
  )

  it('sees an error rate double from 0.1 to 0.2, usually within a few hundred values', () => {
    const delays = detectionDelays(() => new Ddm({ minValues: 300 }), bernoulli(0.1), bernoulli(0.2), { calm: 1_000 })
    expect(delays[7]).toBeLessThan(700)
  })

  it('warns before it calls a drift', () => {
    const detector = new Ddm()
    const random = createRandom(11, 1)
    for (let i = 0; i < 1_000; i++) detector.update(random.chance(0.1) ? 1 : 0)
    const signals: string[] = []
    while (signals.at(-1) !== 'drift') signals.push(detector.update(random.chance(0.4) ? 1 : 0))
    expect(signals.indexOf('warning')).toBeGreaterThanOrEqual(0)
    expect(signals.indexOf('warning')).toBeLessThan(signals.length - 1)
  })

  it('does not call falling errors a drift', () => {
    const delays = detectionDelays(() => new Ddm({ minValues: 300 }), bernoulli(0.4), bernoulli(0.1), { calm: 1_000 })
    expect(delays.filter(Number.isFinite).length).toBeLessThanOrEqual(1)
  })

  it('refuses options out of range', () => {
    for (const wrong of [{ minValues: 0 }, { warningLevel: 4 }]) expect(() => new Ddm(wrong)).toThrow(RheoError)
  })
})
