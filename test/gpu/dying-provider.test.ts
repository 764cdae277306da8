import * as ort from 'onnxruntime-node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createModelShelf } from '../../gpu/model-shelf.ts'
import { runFailure } from '../../gpu/onnx-runtime.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import type { Scorer } from '../../gpu/scorer.ts'
import { FOUR, manifestOf, mlpBytes } from './models.ts'

/** What the runtime is expected to say when a device dies or fills up: written from memory of it, not captured from a dying device. */
const DEATHS = [
  'CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=a ; file=cuda_execution_provider.cc ; line=433',
  "Non-zero status code returned while running Gemm node. Name:'' Status Message: CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED",
  'WebGPU device has been lost (2): A valid external Instance reference no longer exists.',
  'Failed to allocate memory for requested buffer of size 4294967296, shape [1, 1073741824]',
  'Failed to download data from buffer',
]

afterEach(() => {
  vi.restoreAllMocks()
})

/**
 * A scorer for "webgpu" whose device can be made to die. No machine has a device that dies on demand, so the vendor's session is
 * opened on the CPU, and its `run` rejects as the vendor's does.
 */
async function mortal(
  version: string,
  seed: number,
): Promise<{ readonly scorer: Scorer; die: (text: string) => void }> {
  const sessions: ort.InferenceSession[] = []
  const create = ort.InferenceSession.create.bind(ort.InferenceSession) as (
    model: Uint8Array,
    options: ort.InferenceSession.SessionOptions,
  ) => Promise<ort.InferenceSession>
  const spy = vi.spyOn(ort.InferenceSession, 'create') as unknown as {
    mockImplementationOnce(open: typeof create): void
  }
  spy.mockImplementationOnce(async (model, options) => {
    const session = await create(model, { ...options, executionProviders: ['cpu'] })
    sessions.push(session)
    return session
  })
  const bytes = mlpBytes(seed)
  const scorer = await createOnnxScorer(bytes, manifestOf(bytes, FOUR, { version }), { provider: 'webgpu' })
  return {
    scorer,
    die: (text) => {
      vi.spyOn(sessions[0]!, 'run').mockRejectedValue(new Error(text))
      vi.spyOn(sessions[0]!, 'release').mockRejectedValue(new Error('the device is gone'))
    },
  }
}

const onCpu = async (version: string, seed: number): Promise<Scorer> => {
  const bytes = mlpBytes(seed)
  return createOnnxScorer(bytes, manifestOf(bytes, FOUR, { version }), { provider: 'cpu' })
}

const rows = Float32Array.from({ length: 12 }, (_, i) => i / 12)

describe('a provider that dies in mid-run', () => {
  it('is told from a faulty model', () => {
    for (const text of DEATHS)
      expect(runFailure(new Error(text), 'webgpu', 'scoring'), text).toMatchObject({
        code: 'PROVIDER_UNAVAILABLE',
        retryable: true,
      })
    const faults = ['INVALID_ARGUMENT : Got invalid dimensions for input: x', 'Input shape:{1,5}, requested shape:{4}']
    for (const text of faults) expect(runFailure(new Error(text), 'cuda', 'scoring').code, text).toBe('MODEL_INVALID')
    expect(runFailure(new Error(DEATHS[3]), 'cpu', 'scoring').code).toBe('MODEL_INVALID')
  })

  it('fails the batch with PROVIDER_UNAVAILABLE, naming provider, model and rows', async () => {
    const { scorer, die } = await mortal('7', 1)
    expect((await scorer.score(rows, 3)).outputs.get('p')).toHaveLength(3)
    die(DEATHS[2]!)
    await expect(scorer.score(rows, 3)).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: expect.stringMatching(/webgpu.*test-model 7 scored 3 rows.*lost/),
    })
  })

  it('has its version go on elsewhere: every batch in flight is scored, by the same version, marked as degraded', async () => {
    const { scorer, die } = await mortal('1', 1)
    const elsewhere: string[] = []
    const shelf = createModelShelf({
      load: async () => scorer,
      loadElsewhere: (version) => {
        elsewhere.push(version)
        return onCpu(version, 1)
      },
    })
    await shelf.swapTo('1')
    const before = await shelf.score(rows, 3)
    die(DEATHS[0]!)
    const after = await Promise.all(Array.from({ length: 5 }, () => shelf.score(rows, 3)))
    expect(elsewhere).toEqual(['1'])
    for (const scores of after) {
      expect(scores.outputs).toEqual(before.outputs)
      expect(scores.model).toEqual(before.model)
      expect(scores.degraded).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' })
    }
    await shelf.close()
  })

  it('leaves the stage to the version before it when it loads nowhere else', async () => {
    const { scorer, die } = await mortal('2', 2)
    const shelf = createModelShelf({
      load: (version) => (version === '2' ? Promise.resolve(scorer) : onCpu(version, 1)),
    })
    await shelf.swapTo('1')
    await shelf.swapTo('2')
    die(DEATHS[0]!)
    const scores = await shelf.score(rows, 3)
    expect(scores.model.version).toBe('1')
    expect(scores.degraded).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' })
    await shelf.close()
  })
})
