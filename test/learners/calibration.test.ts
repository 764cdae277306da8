import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Calibrator,
  calibratedLogit,
  calibratedProbability,
  UNCALIBRATED,
} from '../../processors/learners/calibration.ts'
import { logLoss, sigmoid } from '../../processors/learners/sigmoid.ts'
import { createRandom } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'

interface Labelled {
  readonly logit: number
  readonly label: 0 | 1
}

/** True log-odds normal(mean, 1.5); the model states `distort` of them. */
function stream(seed: number, count: number, mean: number, distort: (x: number, t: number) => number): Labelled[] {
  const random = createRandom(seed, 1)
  return Array.from({ length: count }, (_, t) => {
    const truth = mean + 1.5 * random.normal()
    return { logit: distort(truth, t), label: random.chance(sigmoid(truth)) ? 1 : 0 }
  })
}

/** Expected calibration error over ten equally large bins, each label predicted before it is learnt, from label `from` on. */
function calibrationErrors(labelled: readonly Labelled[], from: number, memory: number) {
  const calibrator = new Calibrator({ memory })
  const rows: { raw: number; calibrated: number; label: number }[] = []
  labelled.forEach(({ logit, label }, t) => {
    if (t >= from) {
      rows.push({ raw: sigmoid(logit), calibrated: calibratedProbability(logit, calibrator.settings()), label })
    }
    calibrator.observe(logit, label)
  })
  const errorOf = (probabilityOf: (row: (typeof rows)[number]) => number): number => {
    const sorted = [...rows].sort((a, b) => probabilityOf(a) - probabilityOf(b))
    let error = 0
    for (let bin = 0; bin < 10; bin++) {
      const inBin = sorted.slice((bin * sorted.length) / 10, ((bin + 1) * sorted.length) / 10)
      error += Math.abs(inBin.reduce((sum, row) => sum + probabilityOf(row) - row.label, 0))
    }
    return error / rows.length
  }
  return { raw: errorOf((row) => row.raw), calibrated: errorOf((row) => row.calibrated) }
}

describe('online calibration', () => {
  it('makes overconfident and shifted logits honest', () => {
    const { raw, calibrated } = calibrationErrors(
      stream(1, 40_000, -1, (x) => 2.5 * x + 2),
      10_000,
      20_000,
    )
    expect(raw).toBeGreaterThan(0.1)
    expect(calibrated).toBeLessThan(0.01)
  })

  it('makes rare labels honest, one in a hundred', () => {
    const { raw, calibrated } = calibrationErrors(
      stream(2, 200_000, -5.5, (x) => 0.6 * x + 1),
      50_000,
      50_000,
    )
    expect(raw).toBeGreaterThan(0.03)
    expect(calibrated).toBeLessThan(0.001)
  })

  it('follows logits whose scale and offset drift', () => {
    const { raw, calibrated } = calibrationErrors(
      stream(3, 100_000, -1, (x, t) => (1 + t / 50_000) * x + t / 40_000),
      10_000,
      5_000,
    )
    expect(raw).toBeGreaterThan(0.08)
    expect(calibrated).toBeLessThan(0.015)
  })

  it('leaves honest logits nearly as they are', () => {
    const labelled = stream(4, 50_000, -2, (x) => x)
    const calibrator = new Calibrator()
    let loss = 0
    let calibratedLoss = 0
    for (const { logit, label } of labelled) {
      loss += logLoss(logit, label)
      calibratedLoss += logLoss(calibratedLogit(logit, calibrator.settings()), label)
      calibrator.observe(logit, label)
    }
    expect((calibratedLoss - loss) / labelled.length).toBeLessThan(0.0005)
  })

  it('starts from the logits as they are', () => {
    expect(new Calibrator().settings()).toEqual(UNCALIBRATED)
    expect(calibratedProbability(1.5, UNCALIBRATED)).toBe(sigmoid(1.5))
  })

  it('stays finite with a positive slope, and so keeps every ranking, whatever it sees', () => {
    const logit = fc.double({ min: -30, max: 30, noNaN: true })
    const seen = fc.tuple(logit, fc.constantFrom<0 | 1>(0, 1), fc.constantFrom(1, 0.1, 50))
    fc.assert(
      fc.property(
        fc.array(seen, { maxLength: 200 }),
        fc.constantFrom(1, 10, 1_000),
        logit,
        logit,
        (all, memory, a, b) => {
          fc.pre(Math.abs(a - b) > 1e-6)
          const calibrator = new Calibrator({ memory })
          for (const [x, label, weight] of all) calibrator.observe(x, label, weight)
          const settings = calibrator.settings()
          expect(settings.slope).toBeGreaterThanOrEqual(0.05)
          expect(Number.isFinite(settings.slope) && Number.isFinite(settings.intercept)).toBe(true)
          expect(calibratedLogit(a, settings) < calibratedLogit(b, settings)).toBe(a < b)
        },
      ),
    )
  })

  it('continues from its encoded state bit for bit', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 1_000 }), (cut, memory) => {
        const labelled = stream(5, 300, -1, (x) => 3 * x)
        const unbroken = new Calibrator({ memory })
        let resumed = new Calibrator({ memory })
        labelled.forEach(({ logit, label }, t) => {
          if (t === cut) resumed = Calibrator.decode(resumed.encode())
          unbroken.observe(logit, label)
          resumed.observe(logit, label)
        })
        expect(resumed.settings()).toEqual(unbroken.settings())
        expect(resumed.encode()).toEqual(unbroken.encode())
      }),
      { numRuns: 20 },
    )
  })

  it('ignores a logit that is not finite, and refuses options out of range', () => {
    const calibrator = new Calibrator()
    calibrator.observe(Number.NaN, 1)
    expect(calibrator.settings()).toEqual(UNCALIBRATED)
    expect(() => new Calibrator({ memory: 0 })).toThrow(RheoError)
    expect(() => new Calibrator({ minSlope: 0 })).toThrow(RheoError)
  })
})
