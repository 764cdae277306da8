import { describe, expect, it } from 'vitest'
import { gathering } from '../../gpu/micro-batch.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createWorkerScorer } from '../../gpu/onnx-worker-scorer.ts'
import type { Scorer } from '../../gpu/scorer.ts'
import { RheoError } from '../../schemas/errors.ts'
import { FOUR, manifestOf, mlpBytes } from './models.ts'

const bytes = mlpBytes()
const manifest = manifestOf(bytes, FOUR)

/** A scorer that gives each row its first feature, and keeps every run open until it is told to end. */
function heldScorer(refuses: (features: Float32Array) => boolean = () => false) {
  const model = { name: 'm', version: '1', sha256: '' }
  const runs: { readonly rows: number; end(): void }[] = []
  const scorer: Scorer = {
    model,
    score: (features, rows) =>
      new Promise((resolve, reject) => {
        const p = Float32Array.from({ length: rows }, (_, row) => features[row * WIDTH]!)
        const end = (): void => {
          if (refuses(features)) reject(new RheoError('MODEL_INVALID', 'no'))
          else resolve({ outputs: new Map([['p', p]]), model, degraded: null })
        }
        runs.push({ rows, end })
      }),
    close: () => Promise.resolve(),
  }
  return { scorer, runs }
}

const WIDTH = 4
const rowsOf = (...firsts: number[]): Float32Array => Float32Array.from(firsts.flatMap((first) => [first, 0, 0, 0]))
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('micro-batching', () => {
  it('sends a lone batch at once, gathers those that come meanwhile, and gives each its own scores', async () => {
    const { scorer, runs } = heldScorer()
    const gathered = gathering(scorer, WIDTH)
    const asked = [[1], [2, 3], [4], [5, 6, 7]].map((firsts) => gathered.score(rowsOf(...firsts), firsts.length))
    expect(runs.map(({ rows }) => rows)).toEqual([1])
    runs[0]!.end()
    await settled()
    expect(runs.map(({ rows }) => rows)).toEqual([1, 6])
    runs[1]!.end()
    const scores = await Promise.all(asked)
    expect(scores.map(({ outputs }) => [...outputs.get('p')!])).toEqual([[1], [2, 3], [4], [5, 6, 7]])
    const later = gathered.score(rowsOf(8), 1)
    runs[2]!.end()
    expect([...(await later).outputs.get('p')!]).toEqual([8])
  })

  it('keeps a run below its bound, and a larger batch whole', async () => {
    const { scorer, runs } = heldScorer()
    const gathered = gathering(scorer, WIDTH, 3)
    const asked = [[1], [2, 3], [4], [5], [6, 7, 8, 9]].map((firsts) =>
      gathered.score(rowsOf(...firsts), firsts.length),
    )
    for (let run = 0; run < 4; run++) {
      await settled()
      runs[run]!.end()
    }
    await Promise.all(asked)
    expect(runs.map(({ rows }) => rows)).toEqual([1, 3, 1, 4])
  })

  it('fails only the batch that cannot be scored', async () => {
    const { scorer, runs } = heldScorer((features) => features.includes(13))
    const gathered = gathering(scorer, WIDTH)
    const asked = [[1], [2], [13], [3]].map((firsts) => gathered.score(rowsOf(...firsts), firsts.length))
    const all = Promise.allSettled(asked)
    for (let run = 0; run < 5; run++) {
      await settled()
      runs[run]!.end()
    }
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(runs.map(({ rows }) => rows)).toEqual([1, 3, 1, 1, 1])
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
