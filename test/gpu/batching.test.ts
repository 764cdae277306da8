import { describe, expect, it } from 'vitest'
import { createMicroBatcher } from '../../gpu/micro-batch.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createWorkerScorer } from '../../gpu/onnx-worker-scorer.ts'
import { RheoError } from '../../schemas/errors.ts'
import { FOUR, manifestOf, mlpBytes } from './models.ts'

const bytes = mlpBytes()
const manifest = manifestOf(bytes, FOUR)
const options = { width: 4, maxBatch: 8, maxWaiting: 100, maxDelayUs: 500_000 }

describe('micro-batching', () => {
  it('sends a lone row at once, gathers rows behind a running batch, and gives each row its own score', async () => {
    const scorer = await createOnnxScorer(bytes, manifest, { provider: 'cpu' })
    const sizes: number[] = []
    const batcher = createMicroBatcher(
      {
        ...scorer,
        score: (features, batch) => {
          sizes.push(batch)
          return scorer.score(features, batch)
        },
      },
      options,
    )
    const rows = Array.from({ length: 6 }, (_, i) => Float32Array.of(i, 1, 2, 3))
    const scored = await Promise.all(rows.map((row) => batcher.score(row)))
    expect(sizes).toEqual([1, 5])
    for (const [i, { scores, row }] of scored.entries()) {
      const alone = (await scorer.score(rows[i]!, 1)).outputs.get('p')![0]!
      expect(scores.outputs.get('p')![row]).toBeCloseTo(alone, 6)
    }
    await batcher.drained()
    await scorer.close()
  })

  it('fails every row of a failed batch, and bounds what waits', async () => {
    const failing = {
      model: { name: 'm', version: '1', sha256: '' },
      score: () => Promise.reject(new RheoError('MODEL_INVALID', 'no')),
      close: () => Promise.resolve(),
    }
    const batcher = createMicroBatcher(failing, { ...options, maxWaiting: 1 })
    const first = batcher.score(new Float32Array(4))
    const second = batcher.score(new Float32Array(4))
    expect(() => batcher.score(new Float32Array(4))).toThrow('More than 1')
    await expect(first).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await expect(second).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })
})

describe('a scorer on its own thread', () => {
  it('gives the scores of the same model here', async () => {
    const [here, there] = await Promise.all([
      createOnnxScorer(bytes, manifest, { provider: 'cpu' }),
      createWorkerScorer(bytes, manifest, { provider: 'cpu' }),
    ])
    const features = Float32Array.from({ length: 40 }, (_, i) => i / 40)
    expect((await there.score(features, 10)).outputs).toEqual((await here.score(features, 10)).outputs)
    await Promise.all([here.close(), there.close()])
  })

  it('names why a model does not load', async () => {
    await expect(createWorkerScorer(mlpBytes(2), manifest, { provider: 'cpu' })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('SHA-256'),
    })
  })
})
