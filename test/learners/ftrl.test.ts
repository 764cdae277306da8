import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ftrl } from '../../processors/learners/ftrl.ts'
import { FtrlWeights } from '../../processors/learners/ftrl-weights.ts'
import { RheoError } from '../../schemas/errors.ts'
import { type Example, examples, randomExamples } from './examples.ts'
import { ReferenceFtrl } from './reference-ftrl.ts'

const settings = { bits: 10, alpha: 0.1, beta: 1, lambda1: 0.1, lambda2: 1 }

const learnAll = (learner: Ftrl, stream: readonly Example[]): number[] =>
  stream.map(({ indices, values, label, weight }) => learner.learn(indices, values, indices.length, label, weight))

describe('FTRL-Proximal', () => {
  it('follows the float64 statement of the paper', () => {
    const learner = new Ftrl({ ...settings, bits: 16 })
    const reference = new ReferenceFtrl(0.1, 1, 0.1, 1)
    for (const { indices, values, label } of randomExamples(7, 5_000, { slots: 300, distinct: true })) {
      const logit = learner.learn(indices, values, indices.length, label)
      const expected = reference.learn([...indices], [...(values ?? indices.map(() => 1))], label)
      expect(Math.abs(logit - expected)).toBeLessThan(1e-3)
    }
    for (let i = 0; i < 300; i++) expect(learner.weight(i)).toBeCloseTo(reference.weight(i), 3)
  })

  it('keeps a weight at exactly 0 until |z| exceeds lambda1', () => {
    const learner = new Ftrl({ ...settings, lambda1: 1 })
    const indices = Uint32Array.of(5)
    learner.learn(indices, null, 1, 1)
    expect(learner.weight(5)).toBe(0) // z = -0.5
    learner.learn(indices, null, 1, 1)
    learner.learn(indices, null, 1, 1)
    expect(learner.weight(5)).toBeGreaterThan(0) // z = -1.5
  })

  it('takes an example of weight 2 as a gradient twice as long', () => {
    const learner = new Ftrl(settings)
    learner.learn(Uint32Array.of(1), null, 1, 1, 2)
    // g = 2 · (0.5 - 1), so z = -1 and n = 1: w = (1 - λ1) / ((1 + 1) / α + λ2)
    expect(learner.weight(1)).toBeCloseTo(0.9 / 21, 6)
  })

  it('with forgetting finds a reversed concept again, without it lags', () => {
    const errorAfterReversal = (retain: number): number => {
      const learner = new Ftrl({ ...settings, alpha: 0.5, retain })
      let error = 0
      for (let t = 0; t < 6_000; t++) {
        const label = (t % 2 === 0) === t < 5_000 ? 1 : 0
        const logit = learner.learn(Uint32Array.of(t % 2), null, 1, label)
        if (t >= 5_000) error += Math.abs(1 / (1 + Math.exp(-logit)) - label)
      }
      return error / 1_000
    }
    expect(errorAfterReversal(0.99)).toBeLessThan(0.3)
    expect(errorAfterReversal(1)).toBeGreaterThan(errorAfterReversal(0.99) + 0.1)
  })

  it('refuses a value that is not finite and learns nothing from it', () => {
    const learner = new Ftrl(settings)
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => learner.learn(Uint32Array.of(1, 2), Float32Array.of(1, value), 2, 1)).toThrow(RangeError)
    }
    expect(learner.takeDelta()).toEqual(new Ftrl(settings).takeDelta())
  })

  it('refuses settings out of range', () => {
    for (const wrong of [
      { bits: 0 },
      { bits: 27 },
      { alpha: 0 },
      { lambda1: -1 },
      { retain: 0 },
      { alpha: Number.NaN },
    ]) {
      expect(() => new Ftrl({ ...settings, ...wrong })).toThrow(RheoError)
    }
  })
})

describe('deltas', () => {
  it('bring a scorer to the same logits, bit for bit', () => {
    fc.assert(
      fc.property(examples(), fc.integer({ min: 1, max: 20 }), (stream, every) => {
        const learner = new Ftrl(settings)
        const scorer = new FtrlWeights(settings.bits)
        stream.forEach(({ indices, values, label }, t) => {
          learner.learn(indices, values, indices.length, label)
          if (t % every !== 0) return
          scorer.apply(learner.takeDelta())
          for (const seen of stream) {
            const n = seen.indices.length
            expect(scorer.logit(seen.indices, seen.values, n)).toBe(learner.logit(seen.indices, seen.values, n))
          }
        })
      }),
    )
  })

  it('hold only what changed since the last one', () => {
    const learner = new Ftrl(settings)
    learner.learn(Uint32Array.of(1, 2, 3), null, 3, 1)
    learner.takeDelta()
    learner.learn(Uint32Array.of(2), null, 1, 1)
    expect(learner.takeDelta()[0]).toBe(1)
    expect([...learner.takeDelta()]).toEqual([0])
  })

  it('of a snapshot fill an empty scorer', () => {
    const learner = new Ftrl(settings)
    learnAll(learner, randomExamples(3, 500, { slots: 1024 }))
    const scorer = new FtrlWeights(settings.bits)
    scorer.apply(learner.snapshot())
    for (let i = 0; i < 1024; i++) expect(scorer.weights[i]).toBe(learner.weight(i))
  })

  it('of a larger model are refused', () => {
    const learner = new Ftrl(settings)
    learner.learn(Uint32Array.of(900), null, 1, 1)
    expect(() => new FtrlWeights(5).apply(learner.takeDelta())).toThrow(RangeError)
  })

  it('split the log-odds into contributions', () => {
    const learner = new Ftrl(settings)
    learnAll(learner, randomExamples(3, 500, { slots: 50 }))
    const scorer = new FtrlWeights(settings.bits)
    scorer.apply(learner.takeDelta())
    const indices = Uint32Array.of(4, 17, 30)
    const sum = [...indices].reduce((total, index) => total + scorer.contribution(index), 0)
    expect(scorer.logit(indices, null, 3)).toBeCloseTo(sum, 6)
  })
})

describe('pages', () => {
  it('restored midway continue bit for bit: logits, deltas and pages', () => {
    fc.assert(
      fc.property(examples(), fc.nat(60), fc.nat(60), (stream, deltaAt, restoreAt) => {
        const unbroken = new Ftrl(settings)
        let restored = new Ftrl(settings)
        const stored = new Map<string, Uint8Array>()
        const store = (): void => {
          for (const [page, value] of restored.changedPages()) stored.set(page, value)
        }
        stream.forEach(({ indices, values, label }, t) => {
          if (t === deltaAt) expect(restored.takeDelta()).toEqual(unbroken.takeDelta())
          if (t % 3 === 0) store()
          if (t === restoreAt) {
            store()
            restored = new Ftrl(settings)
            restored.restore([...stored])
          }
          const n = indices.length
          expect(restored.learn(indices, values, n, label)).toBe(unbroken.learn(indices, values, n, label))
        })
        expect(restored.takeDelta()).toEqual(unbroken.takeDelta())
        store()
        const whole = new Map(unbroken.changedPages())
        for (const [page, value] of whole) expect(stored.get(page)).toEqual(value)
      }),
    )
  })

  it('hold only what changed since the last call', () => {
    const learner = new Ftrl(settings)
    learner.learn(Uint32Array.of(0, 300), null, 2, 1)
    expect(learner.changedPages().map(([page]) => page)).toEqual(['settings', 'pending', 'slots/0', 'slots/1'])
    learner.learn(Uint32Array.of(301), null, 1, 1)
    expect(learner.changedPages().map(([page]) => page)).toEqual(['pending', 'slots/1'])
    expect(learner.changedPages()).toEqual([])
  })

  it('learnt under other settings are refused', () => {
    const learner = new Ftrl(settings)
    learner.learn(Uint32Array.of(1), null, 1, 1)
    expect(() => new Ftrl({ ...settings, alpha: 0.2 }).restore(learner.changedPages())).toThrow(RheoError)
  })

  it('of a scorer continue where it stopped', () => {
    const learner = new Ftrl(settings)
    const scorer = new FtrlWeights(settings.bits)
    const stored = new Map<string, Uint8Array>()
    for (const example of randomExamples(5, 40, { slots: 1024 })) {
      learnAll(learner, [example])
      scorer.apply(learner.takeDelta())
      for (const [page, value] of scorer.changedPages()) stored.set(page, value)
    }
    const restored = new FtrlWeights(settings.bits)
    restored.restore([...stored])
    expect(restored.weights).toEqual(scorer.weights)
    expect(restored.changedPages()).toEqual([])
  })
})
