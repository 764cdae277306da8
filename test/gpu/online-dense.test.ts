import { describe, expect, it } from 'vitest'
import { createOnlineDense, type PublishedModel } from '../../gpu/online-dense.ts'
import { float32, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createProbabilityScorer, PROBABILITY } from '../../gpu/probability-scorer.ts'
import { compile } from '../../gpu/train/compile.ts'
import { featureProducts } from '../../gpu/train/deep-fm.ts'
import { createGraph } from '../../gpu/train/graph.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { seededRandom } from '../../gpu/train/parameters.ts'
import { gradientError, numbers } from './finite-difference.ts'

const NAMES = ['a', 'b', 'c']
const RULE = { name: 'dense', seed: 7, batch: 32, publishEvery: 4 }

/** The label is whether exactly one of a and b is large: no linear model finds it, products of two features do. */
function examples(count: number, seed: number): { row: Float64Array; label: 0 | 1 }[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => {
    const [a, b] = [random() < 0.5 ? 50 : 0, random() < 0.5 ? 50 : 0]
    return { row: Float64Array.of(a, b, random() < 0.3 ? Number.NaN : random()), label: a > 0 !== b > 0 ? 1 : 0 }
  })
}

async function trained(count: number, chunk: number): Promise<PublishedModel[]> {
  const dense = await createOnlineDense(NAMES, RULE)
  const published: PublishedModel[] = []
  const all = examples(count, 1)
  for (let from = 0; from < count; from += chunk) {
    all.slice(from, from + chunk).forEach(({ row, label }, i) => {
      dense.take(row, label, from + i, from + i + 1_000)
    })
    published.push(...(await dense.advance()))
  }
  await dense.close()
  return published
}

describe('products of features with factorised weights', () => {
  const [rows, width, factors] = [2, 4, 3]
  const x = numbers(rows * width, 3)
  const v = numbers(width * factors, 4)

  it('are those of all pairs', async () => {
    const graph = createGraph()
    const [xs, vs] = [graph.input('x', 'float32', [rows, width]), graph.input('v', 'float32', [width, factors])]
    const bytes = encodeOnnx(compile('products', { sum: featureProducts(xs, vs) }))
    const session = await openSession(bytes, { provider: 'cpu' })
    const out = await runOnce(session, { x: float32([rows, width], x), v: float32([width, factors], v) })
    await session.release()
    for (let row = 0; row < rows; row++) {
      let expected = 0
      for (let i = 0; i < width; i++)
        for (let j = i + 1; j < width; j++)
          for (let k = 0; k < factors; k++)
            expected += v[i * factors + k]! * v[j * factors + k]! * x[row * width + i]! * x[row * width + j]!
      expect(Number(out.get('sum')!.data[row])).toBeCloseTo(expected, 5)
    }
  })

  it('have the gradient that differences have', async () => {
    const error = await gradientError(
      { x: { shape: [rows, width], data: x }, v: { shape: [width, factors], data: v } },
      ({ x: xs, v: vs }) => featureProducts(xs!, vs!),
    )
    expect(error).toBeLessThan(4e-3)
  })
})

describe('a dense model that learns online', () => {
  it('publishes by its declared rule: the same versions, to the byte, however the examples come in', async () => {
    const [whole, parts] = [await trained(1_000, 1_000), await trained(1_000, 37)]
    expect(whole.map(({ manifest }) => manifest.version)).toEqual(['128', '256', '384', '512', '640', '768', '896'])
    expect(parts.map(({ manifest }) => manifest.sha256)).toEqual(whole.map(({ manifest }) => manifest.sha256))
    expect(new Set(whole.map(({ manifest }) => manifest.sha256)).size).toBe(whole.length)
    expect(whole[0]!.manifest.trainingRange).toEqual({
      from: '1970-01-01T00:00:00.000Z',
      to: '1970-01-01T00:00:01.127Z',
    })
  })

  it('is served through its manifest, and learns what takes two features at once', async () => {
    const { bytes, manifest } = (await trained(12_800, 500)).at(-1)!
    const scorer = createProbabilityScorer(
      await createOnnxScorer(bytes, manifest, { provider: 'cpu' }),
      manifest,
      NAMES,
    )
    const test = examples(400, 2)
    const rows = Float32Array.from(test.flatMap(({ row }) => [...row]))
    const probabilities = (await scorer.score(rows, test.length)).outputs.get(PROBABILITY)!
    await scorer.close()
    const right = test.filter(({ label }, i) => probabilities[i]! >= 0.5 === (label === 1)).length
    expect(right / test.length).toBeGreaterThan(0.95)
  })
})
