import { describe, expect, it } from 'vitest'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createTrainer } from '../../gpu/onnx-trainer.ts'
import { openModel } from '../../gpu/open-model.ts'
import { PROBABILITY } from '../../gpu/probability-scorer.ts'
import { tanh } from '../../gpu/train/elementwise.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { adam, type Optimiser, sgd } from '../../gpu/train/optimisers.ts'
import { FOUR, manifestOf, mlpModel } from '../gpu/models.ts'
import { classifier, exampleBatch } from '../gpu/training-fixtures.ts'

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

  it('serves a scenario from a thread of its own, and holds the event loop up for little of the opening', async () => {
    const bytes = encodeOnnx(mlpModel(4, 8))
    const manifest = manifestOf(bytes, FOUR)
    const features = Float32Array.from({ length: 64 * 4 }, (_, i) => Math.sin(i))
    const cpu = await openModel(bytes, manifest, 'cpu', FOUR)
    const startMs = performance.now()
    let turnMs = startMs
    let heldMs = 0
    const turns = setInterval(() => {
      heldMs = Math.max(heldMs, performance.now() - turnMs)
      turnMs = performance.now()
    }, 1)
    const gpu = await openModel(bytes, manifest, 'webgpu', FOUR)
    clearInterval(turns)
    expect(heldMs).toBeLessThan((performance.now() - startMs) / 3)
    const { outputs, degraded } = await gpu.score(features, 64)
    expect(degraded).toBeNull()
    const expected = (await cpu.score(features, 64)).outputs.get(PROBABILITY)!
    expect(Math.max(...expected.map((p, i) => Math.abs(p - outputs.get(PROBABILITY)![i]!)))).toBeLessThanOrEqual(1e-5)
    await Promise.all([cpu.close(), gpu.close()])
  })

  /**
   * ‖difference‖ / ‖weights‖ over all trained tensors. With tanh: ReLU's derivative jumps at 0, and now and then one
   * rounding on the other side of it sets the two apart by more than 1e-4 (docs/gpu.md has the figures).
   */
  async function distanceAfter(steps: number, optimiser: () => Optimiser, seed: number): Promise<number> {
    const { step, parameters } = classifier(optimiser(), seed, tanh)
    const cpu = await createTrainer(step, { provider: 'cpu' })
    const gpu = await createTrainer(step, device)
    for (let i = 0; i < steps; i++) {
      const batch = exampleBatch(i, 32)
      await cpu.step(batch)
      await gpu.step(batch)
    }
    const [expected, actual] = [await cpu.state(), await gpu.state()]
    let [difference, size] = [0, 0]
    for (const { name } of parameters) {
      expected.get(name)!.forEach((value, i) => {
        difference += (value - actual.get(name)![i]!) ** 2
        size += value ** 2
      })
    }
    await Promise.all([cpu.close(), gpu.close()])
    return Math.sqrt(difference / size)
  }

  it('keeps weights within 1e-4 after 1,000 steps of SGD with momentum, its state on the device', async () => {
    expect(await distanceAfter(1_000, () => sgd(0.05, 0.9), 1)).toBeLessThanOrEqual(1e-4)
  })

  it('keeps weights within 1e-4 after 1,000 steps of Adam', async () => {
    expect(await distanceAfter(1_000, () => adam(0.01), 3)).toBeLessThanOrEqual(1e-4)
  })
})
