import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Manifest } from '../../gpu/manifest.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { createProbabilityScorer, PROBABILITY } from '../../gpu/probability-scorer.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { FOUR, manifestOf } from './models.ts'
import { leafSum, type Tree, treeClassifier, treeRegressor } from './tree-models.ts'

const number = fc.float({ min: -3, max: 3, noNaN: true })
const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; leaf: Tree; split: Tree }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4, depthSize: 'large' }, tie('leaf'), tie('split')),
  leaf: fc.record({ value: number }),
  split: fc.record({
    feature: fc.integer({ min: 0, max: 3 }),
    threshold: number,
    missing: fc.constantFrom('below' as const, 'above' as const),
    below: tie('tree'),
    above: tie('tree'),
  }),
})).tree
const trees = fc.array(tree, { minLength: 1, maxLength: 6 })
const rows = fc.array(
  fc.array(fc.oneof({ weight: 4, arbitrary: number }, fc.constant(Number.NaN)), { minLength: 4, maxLength: 4 }),
  { minLength: 1, maxLength: 20 },
)
const more = { opset: null, missing: { rule: 'nan' as const } }

describe('a model of trees (ai.onnx.ml)', () => {
  it('is served: each row gets the sum of its leaves, and a missing feature takes the way that the tree says', async () => {
    await fc.assert(
      fc.asyncProperty(trees, rows, async (trees, rows) => {
        const bytes = encodeOnnx(treeRegressor(trees, 4))
        const scorer = await createOnnxScorer(bytes, manifestOf(bytes, FOUR, more), { provider: 'cpu' })
        const p = (await scorer.score(Float32Array.from(rows.flat()), rows.length)).outputs.get('p')!
        await scorer.close()
        rows.forEach((row, i) => {
          expect(p[i]).toBeCloseTo(leafSum(trees, row), 4)
        })
      }),
      { numRuns: 100 },
    )
  })

  it('may be a classifier with its label beside the probabilities, fed from a row of scenario features with holes', async () => {
    const boosted: readonly Tree[] = [
      { feature: 0, threshold: 0.5, missing: 'above', below: { value: -1.5 }, above: { value: 2 } },
      { feature: 3, threshold: -1, missing: 'below', below: { value: 0.25 }, above: { value: -0.75 } },
    ]
    const bytes = encodeOnnx(treeClassifier(boosted, 4))
    const manifest = manifestOf(bytes, FOUR, { ...more, outputs: [{ name: 'probabilities', width: 2 }] })
    const set = ['d', 'unused', 'a', 'b', 'c']
    const rows = [
      [Number.NaN, 9, 1, 0, 0],
      [5, 9, Number.NaN, 0, 0],
      [5, 9, 0, Number.NaN, 0],
    ]
    async function expectLogits(missing: Manifest['missing'], logits: readonly number[]): Promise<void> {
      const scorer = await createOnnxScorer(bytes, manifest, { provider: 'cpu' })
      const inScenario = createProbabilityScorer(scorer, { ...manifest, missing }, set)
      const { outputs } = await inScenario.score(Float32Array.from(rows.flat()), 3)
      await inScenario.close()
      logits.forEach((logit, row) => {
        expect(outputs.get(PROBABILITY)![row]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5)
      })
    }
    await expectLogits({ rule: 'nan' }, [2.25, 1.25, -2.25])
    await expectLogits({ rule: 'constant', value: 0 }, [1.25, -2.25, -2.25])
  })

  it('is refused where its manifest speaks of operators that it does not import', async () => {
    const bytes = encodeOnnx(treeRegressor([{ value: 1 }], 4))
    await expect(createOnnxScorer(bytes, manifestOf(bytes, FOUR), { provider: 'cpu' })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: 'The manifest says opset 18, the model none.',
    })
  })

  it('is refused when damaged: a way in a circle or out of the tree, a feature or an output that is not there', async () => {
    const split = { feature: 0, threshold: 0, missing: 'below' as const, below: { value: 1 } }
    const whole = treeRegressor([{ ...split, above: { ...split, above: { value: 3 } } }], 4)
    const damage = async (name: string, at: number, value: number): Promise<unknown> => {
      const [node] = whole.nodes
      const list = node!.attributes![name]!
      if (list.kind !== 'ints') throw new Error(`${name} is not a list of integers.`)
      const attributes = { ...node!.attributes, [name]: { ...list, value: list.value.with(at, value) } }
      const bytes = encodeOnnx({ ...whole, nodes: [{ ...node!, attributes }] })
      return createOnnxScorer(bytes, manifestOf(bytes, FOUR, more), { provider: 'cpu' }).then(
        () => 'accepted',
        (error: unknown) => error,
      )
    }
    expect(await damage('nodes_featureids', 0, 3)).toBe('accepted')
    for (const [name, at, value] of [
      ['nodes_falsenodeids', 2, 2],
      ['nodes_falsenodeids', 2, 0],
      ['nodes_falsenodeids', 2, 1_000],
      ['nodes_truenodeids', 0, -5],
      ['nodes_featureids', 0, 4],
      ['nodes_featureids', 0, -1],
      ['target_ids', 0, 1_000_000],
    ] as const) {
      expect(await damage(name, at, value), `${name} ${value}`).toMatchObject({ code: 'MODEL_INVALID' })
    }
  })
})
