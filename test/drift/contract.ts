import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { DriftDetector, DriftSignal } from '../../processors/drift/drift-detector.ts'
import { createRandom, type Random } from '../../processors/random.ts'

/** How many values after a change until the first drift, over `seeds` streams; Infinity where none came within `limit`. */
export function detectionDelays(
  create: () => DriftDetector,
  before: (random: Random) => number,
  after: (random: Random) => number,
  { seeds = 15, calm = 3_000, limit = 3_000 } = {},
): number[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const random = createRandom(seed, 1)
    const detector = create()
    for (let i = 0; i < calm; i++) detector.update(before(random))
    for (let i = 1; i <= limit; i++) if (detector.update(after(random)) === 'drift') return i
    return Number.POSITIVE_INFINITY
  }).sort((a, b) => a - b)
}

export function countDrifts(detector: DriftDetector, draw: (random: Random) => number, values: number): number {
  const random = createRandom(77, 2)
  let drifts = 0
  for (let i = 0; i < values; i++) if (detector.update(draw(random)) === 'drift') drifts++
  return drifts
}

export const bernoulli =
  (rate: number) =>
  (random: Random): number =>
    random.chance(rate) ? 1 : 0

/** What every detector promises. */
export function detectorContract(create: () => DriftDetector, decode: (bytes: Uint8Array) => DriftDetector): void {
  it('continues from its encoded state bit for bit', () => {
    const part = fc.record({ rate: fc.constantFrom(0, 0.1, 0.5, 1), count: fc.nat(400), seed: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.nat(1_500), (parts, cut) => {
        const unbroken = create()
        let resumed = create()
        let seen = 0
        const signals: [DriftSignal, DriftSignal][] = []
        for (const { rate, count, seed } of parts) {
          const random = createRandom(seed, 3)
          for (let i = 0; i < count; i++) {
            if (seen++ === cut) resumed = decode(resumed.encode())
            const value = random.chance(rate) ? 1 : 0
            signals.push([resumed.update(value), unbroken.update(value)])
          }
        }
        for (const [mine, theirs] of signals) expect(mine).toBe(theirs)
        expect(resumed.encode()).toEqual(unbroken.encode())
      }),
      { numRuns: 30 },
    )
  })

  it('ignores values that are not finite', () => {
    const [plain, disturbed] = [create(), create()]
    const random = createRandom(5, 5)
    for (let i = 0; i < 500; i++) {
      const value = random.float()
      expect(disturbed.update(Number.NaN)).toBe('none')
      expect(disturbed.update(value)).toBe(plain.update(value))
      disturbed.update(Number.POSITIVE_INFINITY)
    }
    expect(disturbed.encode()).toEqual(plain.encode())
  })

  it('keeps its state bounded', () => {
    const detector = create()
    const random = createRandom(6, 6)
    for (let i = 0; i < 20_000; i++) detector.update(random.float())
    expect(detector.encode().length).toBeLessThan(4_000)
  })
}
