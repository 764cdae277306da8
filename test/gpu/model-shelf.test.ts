import { describe, expect, it } from 'vitest'
import { createModelShelf } from '../../gpu/model-shelf.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { FOUR, manifestOf, mlpBytes, oneNodeModel } from './models.ts'

/** Version "log" takes the logarithm: fine on ones, −∞ on zeros. */
const models: Readonly<Record<string, Uint8Array>> = {
  '1': mlpBytes(1),
  '2': mlpBytes(2),
  log: encodeOnnx(
    oneNodeModel('', 4, {
      outputs: [{ name: 'p', type: 'float32', shape: ['batch', 1] }],
      initializers: [{ name: 'axes', type: 'int64', dims: [1], data: [1] }],
      nodes: [
        { op: 'ReduceSum', inputs: ['x', 'axes'], outputs: ['sum'] },
        { op: 'Log', inputs: ['sum'], outputs: ['p'] },
      ],
    }),
  ),
}

function shelf() {
  return createModelShelf({
    load: async (version) => {
      const bytes = models[version] ?? new Uint8Array(3)
      return createOnnxScorer(bytes, manifestOf(bytes, FOUR, { version }), { provider: 'cpu', warmUpBatches: [] })
    },
  })
}

const ones = new Float32Array(4).fill(1)

describe('the model shelf', () => {
  it('has nothing to score with before the first version', async () => {
    await expect(shelf().score(ones, 1)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('goes on with the version it has when another one does not load', async () => {
    const models = shelf()
    await models.swapTo('1')
    await expect(models.swapTo('damaged')).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    const scores = await models.score(ones, 1)
    expect(scores.model.version).toBe('1')
    expect(scores.degraded).toBeNull()
    await models.close()
  })

  it('falls back on the last good version when outputs are not numbers, says why, and loses no row', async () => {
    const models = shelf()
    await models.swapTo('1')
    await models.swapTo('log')
    expect((await models.score(ones, 1)).model.version).toBe('log')
    const scores = await models.score(new Float32Array(8), 2)
    expect(scores.model.version).toBe('1')
    expect(scores.outputs.get('p')).toHaveLength(2)
    expect(scores.degraded).toMatchObject({ code: 'MODEL_INVALID', message: expect.stringContaining('-Infinity') })
    await models.swapTo('2')
    expect((await models.score(ones, 1)).degraded).toBeNull()
    await models.close()
  })

  it('swaps under load without a gap: every batch is scored, each by a version that was serving', async () => {
    const models = shelf()
    await models.swapTo('1')
    const versions: string[] = []
    const scoring = Array.from({ length: 400 }, async (_, i) => {
      if (i % 100 === 50) await models.swapTo(String((i / 50) % 2 === 1 ? 2 : 1))
      versions.push((await models.score(ones, 1)).model.version)
    })
    await Promise.all(scoring)
    expect(versions).toHaveLength(400)
    expect(new Set(versions)).toEqual(new Set(['1', '2']))
    await models.close()
  })

  it('opens old versions again', async () => {
    const models = shelf()
    await models.swapTo('1')
    const before = (await models.score(ones, 1)).outputs.get('p')![0]
    await models.swapTo('2')
    expect((await models.score(ones, 1)).outputs.get('p')![0]).not.toBe(before)
    await models.swapTo('1')
    expect((await models.score(ones, 1)).outputs.get('p')![0]).toBe(before)
    await models.close()
  })
})
