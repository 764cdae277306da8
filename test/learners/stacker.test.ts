import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logLoss, sigmoid } from '../../processors/learners/sigmoid.ts'
import { blendedLogit, modelLogit, Stacker, UNBLENDED } from '../../processors/learners/stacker.ts'
import { createRandom } from '../../processors/random.ts'

interface Served {
  readonly base: number
  readonly models: readonly { readonly name: string; readonly rawLogit: number }[]
  readonly label: 0 | 1
}

/** Two views of one truth, each with noise of its own; `noise` is the model's. */
function served(count: number, noise: number, seed = 1): Served[] {
  const random = createRandom(seed, 0)
  return Array.from({ length: count }, () => {
    const truth = -2 + 2 * random.normal()
    const models = [{ name: 'trees', rawLogit: truth + noise * random.normal() }]
    return { base: truth + random.normal(), models, label: random.chance(sigmoid(truth)) ? 1 : 0 }
  })
}

function taught(examples: readonly Served[]): Stacker {
  const stacker = new Stacker()
  for (const { base, models, label } of examples) stacker.observe(base, models, label)
  return stacker
}

describe('the blend', () => {
  it('is the base alone before any label, to the bit', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, min: -30, max: 30 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (base, p) => {
          const models = [{ name: 'trees', rawLogit: modelLogit(p) }]
          expect(blendedLogit(new Stacker().settings(), base, models)).toBe(base + 0)
          expect(blendedLogit(UNBLENDED, base, models)).toBe(base + 0)
        },
      ),
    )
  })

  it('loses less than either alone where each knows something, prequentially', () => {
    const stacker = new Stacker()
    const losses = { base: 0, model: 0, blend: 0 }
    for (const { base, models, label } of served(6_000, 1)) {
      losses.base += logLoss(base, label)
      losses.model += logLoss(models[0]!.rawLogit, label)
      losses.blend += logLoss(blendedLogit(stacker.settings(), base, models), label)
      stacker.observe(base, models, label)
    }
    expect(losses.blend).toBeLessThan(0.97 * Math.min(losses.base, losses.model))
  })

  it('gives nothing to a model that says noise, nor to one that says the opposite', () => {
    const { shares } = taught(served(4_000, 40)).settings()
    expect(shares[0]![1]).toBeLessThan(0.02)
    const opposite = served(2_000, 1).map((each) => ({
      ...each,
      models: [{ name: 'trees', rawLogit: -each.models[0]!.rawLogit }],
    }))
    expect(taught(opposite).settings().shares[0]![1]).toBeLessThan(0.02)
  })

  it('leaves a missing answer to the base: weights learnt with it do not move the rest', () => {
    const settings = taught(served(3_000, 0.5)).settings()
    expect(settings.shares[0]![1]).toBeGreaterThan(0.3)
    expect(blendedLogit(settings, -1.5, [])).toBe(settings.scale * -1.5 + settings.bias)
  })

  it('keeps shares between nothing and all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.double({ min: 0, max: 5, noNaN: true }), (seed, noise) => {
        const { scale, shares } = taught(served(150, noise, seed)).settings()
        const sum = shares.reduce((total, [, share]) => total + share, 0)
        for (const [, share] of shares) expect(share).toBeGreaterThanOrEqual(0)
        expect(sum).toBeLessThanOrEqual(scale * (1 + 1e-12))
      }),
      { numRuns: 40 },
    )
  })

  it('takes a further model in when it comes, and ignores what is not finite', () => {
    const stacker = taught(served(500, 1))
    const before = stacker.settings()
    stacker.observe(0, [{ name: 'trees', rawLogit: Number.NaN }], 1)
    stacker.observe(Number.POSITIVE_INFINITY, [{ name: 'trees', rawLogit: 0 }], 1)
    expect(stacker.settings()).toEqual(before)
    stacker.observe(0, [{ name: 'late', rawLogit: 1 }], 1)
    expect(stacker.settings().shares.map(([name]) => name)).toEqual(['trees', 'late'])
  })

  it('goes on from its bytes, bit for bit', () => {
    const examples = served(400, 1)
    const whole = taught(examples)
    const resumed = Stacker.decode(taught(examples.slice(0, 250)).encode())
    for (const { base, models, label } of examples.slice(250)) resumed.observe(base, models, label)
    expect(Buffer.from(resumed.encode()).equals(Buffer.from(whole.encode()))).toBe(true)
  })

  it('solves what a plain elimination solves', () => {
    const examples = served(300, 0.5)
    const stacker = taught(examples)
    const { scale, bias, shares } = stacker.settings()
    const [w0, w1, w2] = naive(examples)
    expect(scale).toBeCloseTo(w0!, 9)
    expect(bias).toBeCloseTo(w1!, 9)
    expect(shares[0]![1]).toBeCloseTo(w2!, 9)
  })
})

/** The same recursion with dense matrices and Gauss–Jordan elimination. */
function naive(examples: readonly Served[]): number[] {
  const retain = 1 - 1 / 200_000
  const prior = [1, 0.1, 1]
  let w = [1, 0, 0]
  let h = prior.map(() => [0, 0, 0])
  let t = [0, 0, 0]
  for (const { base, models, label } of examples) {
    const z = [base, 1, models[0]!.rawLogit - base]
    const fitted = z.reduce((sum, value, i) => sum + value * w[i]!, 0)
    const p = 1 / (1 + Math.exp(-fitted))
    const c = Math.max(p * (1 - p), 1e-4)
    h = h.map((row, i) => row.map((value, j) => value * retain + c * z[i]! * z[j]!))
    t = t.map((value, i) => value * retain + (c * fitted + label - p) * z[i]!)
    const a = h.map((row, i) => [
      ...row.map((value, j) => value + (i === j ? prior[i]! : 0)),
      t[i]! + (i === 0 ? 1 : 0),
    ])
    for (let k = 0; k < 3; k++) {
      const pivot = a[k]![k]!
      a[k] = a[k]!.map((value) => value / pivot)
      for (let i = 0; i < 3; i++) {
        const factor = a[i]![k]!
        if (i !== k) a[i] = a[i]!.map((value, j) => value - factor * a[k]![j]!)
      }
    }
    w = a.map((row) => row[3]!)
  }
  return w
}
