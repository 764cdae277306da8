import { describe, expect, it } from 'vitest'
import { createOnlineDense, type PublishedModel } from '../../gpu/online-dense.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { openModel } from '../../gpu/open-model.ts'
import { createProbabilityScorer, PROBABILITY } from '../../gpu/probability-scorer.ts'
import { silu } from '../../gpu/train/elementwise.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { adam, sgd } from '../../gpu/train/optimisers.ts'
import { seededRandom } from '../../gpu/train/parameters.ts'
import { hash53 } from '../../processors/features/value-hash.ts'
import { FOUR, manifestOf, mlpModel } from '../gpu/models.ts'
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

  it('serves a scenario from a thread of its own, and lets the event loop turn while it opens', async () => {
    const bytes = encodeOnnx(mlpModel(4, 8))
    const manifest = manifestOf(bytes, FOUR)
    const features = Float32Array.from({ length: 64 * 4 }, (_, i) => Math.sin(i))
    const cpu = await openModel(bytes, manifest, 'cpu', FOUR)
    let turns = 0
    const counting = setInterval(() => turns++, 1)
    const gpu = await openModel(bytes, manifest, 'webgpu', FOUR)
    clearInterval(counting)
    expect(turns).toBeGreaterThan(10)
    const { outputs, degraded } = await gpu.score(features, 64)
    expect(degraded).toBeNull()
    const expected = (await cpu.score(features, 64)).outputs.get(PROBABILITY)!
    expect(Math.max(...expected.map((p, i) => Math.abs(p - outputs.get(PROBABILITY)![i]!)))).toBeLessThanOrEqual(1e-5)
    await Promise.all([cpu.close(), gpu.close()])
  })

  it('finds the same embeddings of names and numbers, known or not, though its whole numbers are counted on the CPU', async () => {
    const names = ['amount', 'country', 'channel', 'count']
    const random = seededRandom(3)
    const row = () =>
      names.map((name) => {
        if (random() < 0.1) return Number.NaN
        const code = Math.floor(random() * 50)
        return name.startsWith('c') && name !== 'count'
          ? hash53(`${name} ${code}`)
          : (random() - 0.2) * 10 ** (code / 8)
      })
    const rule = { name: 'dense', seed: 1, batch: 64, publishEvery: 16, publishEveryMs: 0 }
    const dense = await createOnlineDense(names, ['country', 'channel'], rule)
    let published: PublishedModel | null = null
    for (let step = 0; step < 16; step++) {
      const examples = Array.from({ length: 64 }, () => {
        const features = Float64Array.from(row())
        return { features, label: random() < 0.3 ? 1 : 0, eventMs: step, labelMs: step } as const
      })
      published = await dense.learn(examples)
    }
    const { bytes, manifest } = published!
    await dense.close()
    const features = Float32Array.from(Array.from({ length: 200 }, row).flat())
    const [expected, actual] = await Promise.all(
      (['cpu', 'webgpu'] as const).map(async (provider) => {
        const scorer = await createOnnxScorer(bytes, manifest, { provider })
        return (await createProbabilityScorer(scorer, manifest, names).score(features, 200)).outputs.get(PROBABILITY)!
      }),
    )
    expect(new Set(expected).size).toBeGreaterThan(150)
    expect(Math.max(...expected!.map((value, i) => Math.abs(value - actual![i]!)))).toBeLessThanOrEqual(1e-5)
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
