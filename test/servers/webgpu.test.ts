import { describe, expect, it } from 'vitest'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { silu } from '../../gpu/train/elementwise.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { adam, sgd } from '../../gpu/train/optimisers.ts'
import { manifestOf, mlpModel } from '../gpu/models.ts'
import { distanceOfWebGpu } from '../gpu/provider-distance.ts'

/** Run by `deploy/local/webgpu.sh npx vitest run --config vitest.servers.config.ts test/servers/webgpu.test.ts`. */
const device = { provider: 'webgpu', cpuFallback: 'forbidden' } as const

describe('WebGPU against the CPU', () => {
  it('gives scores within 1e-5', async () => {
    const bytes = encodeOnnx(mlpModel(32, 64))
    const manifest = manifestOf(
      bytes,
      Array.from({ length: 32 }, (_, i) => `f${i}`),
    )
    const cpu = await createOnnxScorer(bytes, manifest, { provider: 'cpu' })
    const gpu = await createOnnxScorer(bytes, manifest, device)
    for (const batch of [1, 7, 256]) {
      const features = Float32Array.from({ length: batch * 32 }, (_, i) => Math.sin(i))
      const expected = (await cpu.score(features, batch)).outputs.get('p')!
      const actual = (await gpu.score(features, batch)).outputs.get('p')!
      expect(Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)))).toBeLessThanOrEqual(1e-5)
    }
  })

  /** The default activation; ReLU parts now and then (docs/gpu.md, `bench/webgpu-distance.ts`). */
  const optimisers = [
    ['SGD 0.01 with momentum', sgd(0.01, 0.9)],
    ['SGD 0.05 with momentum', sgd(0.05, 0.9)],
    ['Adam', adam(0.01)],
  ] as const
  for (const [name, optimiser] of optimisers) {
    it(`keeps weights within 1e-4 after 1,000 steps of ${name}, its state on the device`, async () => {
      for (const seed of [1, 2, 3]) {
        const { distance } = await distanceOfWebGpu({ optimiser, activation: silu, seed, steps: 1_000 })
        expect(distance, `seed ${seed}`).toBeLessThanOrEqual(1e-4)
      }
    })
  }
})
