import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileSimdModule } from '../../processors/learners/build-simd.ts'
import { Ftrl, type FtrlSettings } from '../../processors/learners/ftrl.ts'
import { createScalarKernel } from '../../processors/learners/ftrl-scalar.ts'
import { createSimdKernel } from '../../processors/learners/ftrl-simd.ts'
import { examples, randomExamples } from './examples.ts'

const settings = { bits: 8, alpha: 0.2, beta: 1, lambda1: 0.3, lambda2: 1 }

function both(more: Partial<FtrlSettings> = {}): { scalar: Ftrl; simd: Ftrl } {
  return {
    scalar: new Ftrl({ ...settings, ...more }, createScalarKernel),
    simd: new Ftrl({ ...settings, ...more }, (constants) => createSimdKernel(constants)!),
  }
}

describe('the SIMD kernel', () => {
  it('is what a learner uses on this machine', () => {
    expect(new Ftrl(settings).kernelName).toBe('simd')
  })

  it('equals the scalar kernel bit for bit: logits, deltas and pages', () => {
    const hyperparameters = fc.record({
      lambda1: fc.constantFrom(0, 0.3, 2),
      lambda2: fc.constantFrom(0, 1),
      retain: fc.constantFrom(1, 0.95),
      bits: fc.constantFrom(1, 3, 8),
    })
    fc.assert(
      fc.property(examples(), hyperparameters, fc.integer({ min: 1, max: 9 }), (stream, more, every) => {
        const { scalar, simd } = both(more)
        stream.forEach(({ indices, values, label, weight }, t) => {
          const n = indices.length
          expect(simd.logit(indices, values, n)).toBe(scalar.logit(indices, values, n))
          expect(simd.learn(indices, values, n, label, weight)).toBe(scalar.learn(indices, values, n, label, weight))
          if (t % every === 0) expect(simd.takeDelta()).toEqual(scalar.takeDelta())
        })
        expect(simd.changedPages()).toEqual(scalar.changedPages())
      }),
      { numRuns: 300 },
    )
  })

  it('equals the scalar kernel after many examples', () => {
    const { scalar, simd } = both({ bits: 12 })
    for (const { indices, values, label } of randomExamples(11, 20_000, { slots: 5_000 })) {
      const n = indices.length
      expect(simd.learn(indices, values, n, label)).toBe(scalar.learn(indices, values, n, label))
    }
    expect(simd.snapshot()).toEqual(scalar.snapshot())
  })

  it('continues from pages that the scalar kernel wrote', () => {
    const { scalar, simd } = both()
    const stream = randomExamples(13, 200, { slots: 256 })
    for (const { indices, values, label } of stream) scalar.learn(indices, values, indices.length, label)
    simd.restore(scalar.changedPages())
    for (const { indices, values, label } of stream) {
      const n = indices.length
      expect(simd.learn(indices, values, n, label)).toBe(scalar.learn(indices, values, n, label))
    }
    expect(simd.takeDelta()).toEqual(scalar.takeDelta())
  })

  it('refuses an example longer than its memory, and values that are not finite', () => {
    const { simd } = both()
    expect(() => simd.learn(new Uint32Array(5_000), null, 5_000, 1)).toThrow(RangeError)
    expect(() => simd.learn(Uint32Array.of(1), Float32Array.of(Number.NaN), 1, 1)).toThrow(RangeError)
    expect(simd.snapshot()).toEqual(both().simd.snapshot())
  })

  it('is the compiled form of its source', async () => {
    const stored = readFileSync(new URL('../../processors/learners/ftrl-simd-bytes.ts', import.meta.url), 'utf8')
    expect(await compileSimdModule()).toBe(stored)
  })
})
