import { describe, expect, it } from 'vitest'
import { createOnlineDense, type DenseRule, type DenseState, type PublishedModel } from '../../gpu/online-dense.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createProbabilityScorer, PROBABILITY } from '../../gpu/probability-scorer.ts'
import { seededRandom } from '../../gpu/train/parameters.ts'
import { hash53 } from '../../processors/features/value-hash.ts'

const NAMES = ['a', 'b', 'c']
const RULE = { name: 'dense', seed: 7, batch: 32, publishEvery: 4, publishEveryMs: 0 }

/** The label is whether exactly one of a and b is large: no linear model finds it, products of two features do. */
function examples(count: number, seed: number): { row: Float64Array; label: 0 | 1 }[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => {
    const [a, b] = [random() < 0.5 ? 50 : 0, random() < 0.5 ? 50 : 0]
    return { row: Float64Array.of(a, b, random() < 0.3 ? Number.NaN : random()), label: a > 0 !== b > 0 ? 1 : 0 }
  })
}

/** The label is whether the channel is the one that belongs to the country: codes without an order. */
function categoryExamples(count: number, seed: number): { row: Float64Array; label: 0 | 1 }[] {
  const random = seededRandom(seed)
  const code = (name: string): number => hash53(name)
  return Array.from({ length: count }, () => {
    const [country, channel] = [Math.floor(random() * 20), Math.floor(random() * 3)]
    const label = country % 3 === channel ? 1 : 0
    return { row: Float64Array.of(code(`country ${country}`), random(), code(`channel ${channel}`)), label }
  })
}

/** @param from goes on from there with the examples behind those that it has learnt */
async function trained(
  count: number,
  categories: readonly string[] = [],
  all = examples(count, 1),
  rule: DenseRule = RULE,
  from: DenseState | null = null,
): Promise<{ readonly published: PublishedModel[]; readonly state: DenseState }> {
  const dense = await createOnlineDense(NAMES, categories, rule, from)
  const published: PublishedModel[] = []
  for (let first = dense.learnt; first + rule.batch <= count; first += rule.batch) {
    const batch = all.slice(first, first + rule.batch).map(({ row, label }, i) => {
      return { features: row, label, eventMs: first + i, labelMs: first + i + 1_000 }
    })
    const model = await dense.learn(batch)
    if (model !== null) published.push(model)
  }
  const state = await dense.state()
  await dense.close()
  return { published, state }
}

const hashes = (models: readonly PublishedModel[]) => models.map(({ manifest }) => manifest.sha256)

describe('a dense model that learns online', () => {
  it('publishes by its declared rule: the same versions, to the byte', async () => {
    const { published } = await trained(1_000)
    expect(published.map(({ manifest }) => manifest.version)).toEqual(['128', '256', '384', '512', '640', '768', '896'])
    expect(hashes((await trained(1_000)).published)).toEqual(hashes(published))
    expect(new Set(hashes(published)).size).toBe(published.length)
    expect(published[0]!.manifest.trainingRange).toEqual({
      from: '1970-01-01T00:00:00.000Z',
      to: '1970-01-01T00:00:01.127Z',
    })
  })

  it('goes on from a state as if it had not stopped: the same versions, to the byte', async () => {
    const all = examples(1_000, 1)
    const rule = { ...RULE, publishEveryMs: 300 }
    const whole = await trained(1_000, [], all, rule)
    for (const stopped of [320, 512]) {
      const { state } = await trained(stopped, [], all, rule)
      const rest = await trained(1_000, [], all, rule, state)
      expect(rest.published.length).toBeGreaterThan(0)
      expect(hashes(rest.published)).toEqual(hashes(whole.published).slice(-rest.published.length))
      expect(rest.state).toEqual(whole.state)
    }
  })

  it('begins anew where a state is of other features, or of another network', async () => {
    const { state } = await trained(320)
    const { tensors } = state
    const [first] = tensors.keys()
    for (const other of [
      { ...state, columns: ['a', 'b', 'd'] },
      { ...state, categories: 1 },
      { ...state, tensors: new Map([...tensors, [first!, new Float32Array(7)]]) },
      { ...state, tensors: new Map([...tensors].slice(1)) },
    ]) {
      const dense = await createOnlineDense(NAMES, [], RULE, other)
      expect(dense.learnt).toBe(0)
      await dense.close()
    }
  })

  it('publishes no two versions closer together than its rule says, as the labels became known', async () => {
    const { published } = await trained(1_000, [], examples(1_000, 1), { ...RULE, publishEveryMs: 300 })
    expect(published.map(({ manifest }) => manifest.version)).toEqual(['128', '512', '896'])
  })

  it('is served through its manifest, and learns what takes two features at once', async () => {
    const model = (await trained(12_800)).published.at(-1)!
    expect(await accuracy(model, examples(400, 2))).toBeGreaterThan(0.95)
  })

  it('gives each category a hashed embedding: it learns pairs of names, and names unknown or missing are scored, too', async () => {
    const all = categoryExamples(25_600, 1)
    const versions = (await trained(25_600, ['a', 'c'], all)).published
    const again = (await trained(2_560, ['a', 'c'], all)).published
    expect(hashes(again)).toEqual(hashes(versions).slice(0, again.length))
    const model = versions.at(-1)!
    expect(model.manifest.input.features).toEqual(['b', 'a', 'c'])
    const test = categoryExamples(400, 2)
    expect(await accuracy(model, test)).toBeGreaterThan(0.95)
    expect(await accuracy((await trained(12_800, [], all)).published.at(-1)!, test)).toBeLessThan(0.8)
    const unknown = [
      Float64Array.of(hash53('nowhere'), 0.5, Number.NaN),
      Float64Array.of(Number.NaN, Number.NaN, Number.NaN),
    ]
    expect(await probabilitiesOf(model, unknown)).toHaveLength(2)
  })
})

async function probabilitiesOf(
  { bytes, manifest }: PublishedModel,
  rows: readonly Float64Array[],
): Promise<Float32Array> {
  const scorer = createProbabilityScorer(await createOnnxScorer(bytes, manifest, { provider: 'cpu' }), manifest, NAMES)
  const { outputs } = await scorer.score(Float32Array.from(rows.flatMap((row) => [...row])), rows.length)
  await scorer.close()
  return outputs.get(PROBABILITY)!
}

async function accuracy(model: PublishedModel, test: ReturnType<typeof examples>): Promise<number> {
  const probabilities = await probabilitiesOf(
    model,
    test.map(({ row }) => row),
  )
  return test.filter(({ label }, i) => probabilities[i]! >= 0.5 === (label === 1)).length / test.length
}
