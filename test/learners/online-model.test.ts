import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ftrl, type ModelLearner, type ModelScorer } from '../../processors/learners/online-model.ts'
import { createRandom } from '../../processors/random.ts'

const NAMES = ['amount', 'risk', 'noise', 'code']
const MODEL = ftrl({ categorical: ['code'], crosses: [['amount', 'risk']] })

interface Case {
  readonly features: Float64Array
  readonly label: 0 | 1
}

/** Label 1 where the amount lies in a band, or the risk is high and known; 5 % of the labels are wrong. */
function cases(seed: number, count: number): Case[] {
  const random = createRandom(seed, 1)
  return Array.from({ length: count }, () => {
    const amount = random.float() * 400
    const risk = random.float() < 0.3 ? Number.NaN : random.float()
    const truth = (amount > 100 && amount < 180) || risk > 0.8
    const label = truth !== random.float() < 0.05 ? 1 : 0
    return { features: Float64Array.of(amount, risk, random.float() * 10, Math.floor(random.float() * 5)), label }
  })
}

function learnAll(learner: ModelLearner, list: readonly Case[]): void {
  for (const { features, label } of list) learner.learn(features, label, 1)
}

function follow(scorer: ModelScorer, learner: ModelLearner): void {
  const update = learner.takeUpdate()
  if (update !== null) scorer.apply(update)
}

describe('ftrl', () => {
  it('learns what is not linear in its features', () => {
    const [learner, scorer] = [MODEL.createLearner(NAMES), MODEL.createScorer(NAMES)]
    learnAll(learner, cases(1, 6_000))
    follow(scorer, learner)
    const right = cases(2, 2_000).filter(({ features, label }) => scorer.logit(features) > 0 === (label === 1))
    expect(right.length / 2_000).toBeGreaterThan(0.9)
  })

  it('explains a score by contributions that sum with the bias to its logit', () => {
    const [learner, scorer] = [MODEL.createLearner(NAMES), MODEL.createScorer(NAMES)]
    learnAll(learner, cases(3, 2_000))
    follow(scorer, learner)
    const parts = new Float64Array(NAMES.length)
    for (const { features } of cases(4, 200)) {
      scorer.contributions(features, parts)
      expect(parts.reduce((sum, part) => sum + part, scorer.bias)).toBeCloseTo(scorer.logit(features), 3)
    }
    scorer.contributions(Float64Array.of(140, 0.1, 5, 1), parts)
    expect(parts[0]).toBe(Math.max(...parts))
    scorer.contributions(Float64Array.of(300, 0.95, 5, 1), parts)
    expect(parts[1]).toBe(Math.max(...parts))
  })

  it('measures contributions from a usual example', () => {
    const [learner, scorer] = [MODEL.createLearner(NAMES), MODEL.createScorer(NAMES)]
    learnAll(learner, cases(5, 20_000))
    follow(scorer, learner)
    const parts = new Float64Array(NAMES.length)
    const sums = new Float64Array(NAMES.length)
    const sample = cases(6, 2_000)
    for (const { features } of sample) {
      scorer.contributions(features, parts)
      for (let f = 0; f < sums.length; f++) sums[f]! += parts[f]! / sample.length
    }
    for (const mean of sums) expect(Math.abs(mean)).toBeLessThan(0.15)
  })

  it('tells its version by the labels learnt, and has no update where nothing was learnt', () => {
    const [learner, scorer] = [MODEL.createLearner(NAMES), MODEL.createScorer(NAMES)]
    expect([scorer.version, learner.takeUpdate()]).toEqual([0, null])
    learnAll(learner, cases(7, 250))
    follow(scorer, learner)
    expect([scorer.version, learner.takeUpdate()]).toEqual([250, null])
  })

  it('ignores crosses and categories of features that are not there', () => {
    const names = ['amount', 'other']
    const [learner, scorer] = [MODEL.createLearner(names), MODEL.createScorer(names)]
    learner.learn(Float64Array.of(3, 4), 1, 1)
    follow(scorer, learner)
    expect(scorer.logit(Float64Array.of(3, 4))).toBeGreaterThan(0)
  })

  it('gives a missing feature no weight of its own', () => {
    const [learner, scorer] = [MODEL.createLearner(NAMES), MODEL.createScorer(NAMES)]
    const nothing = new Float64Array(NAMES.length).fill(Number.NaN)
    expect(scorer.logit(nothing)).toBe(0)
    learnAll(learner, cases(8, 500))
    follow(scorer, learner)
    expect(Number.isFinite(scorer.logit(nothing))).toBe(true)
  })

  it('goes on bit for bit from its pages, wherever it was stored', () => {
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.array(fc.tuple(fc.nat(60), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 8 }),
        (seed, phases) => {
          const unbroken = { learner: MODEL.createLearner(NAMES), scorer: MODEL.createScorer(NAMES) }
          const broken = { learner: MODEL.createLearner(NAMES), scorer: MODEL.createScorer(NAMES) }
          const stored = { learner: new Map<string, Uint8Array>(), scorer: new Map<string, Uint8Array>() }
          phases.forEach(([count, update, crash], phase) => {
            const list = cases(seed + phase, count)
            for (const pair of [unbroken, broken]) {
              learnAll(pair.learner, list)
              if (update) follow(pair.scorer, pair.learner)
            }
            for (const part of ['learner', 'scorer'] as const) {
              for (const [page, value] of broken[part].changedPages()) stored[part].set(page, value)
            }
            if (!crash) return
            broken.learner = MODEL.createLearner(NAMES)
            broken.scorer = MODEL.createScorer(NAMES)
            broken.learner.restore([...stored.learner])
            broken.scorer.restore([...stored.scorer])
          })
          const parts = [new Float64Array(NAMES.length), new Float64Array(NAMES.length)] as const
          for (const { features } of cases(seed, 20)) {
            expect(broken.scorer.logit(features)).toBe(unbroken.scorer.logit(features))
            unbroken.scorer.contributions(features, parts[0])
            broken.scorer.contributions(features, parts[1])
            expect(parts[1]).toEqual(parts[0])
          }
          expect(broken.scorer.version).toBe(unbroken.scorer.version)
          expect(broken.learner.takeUpdate()).toEqual(unbroken.learner.takeUpdate())
        },
      ),
      { numRuns: 30 },
    )
  })

  it('refuses pages that were learnt from other features', () => {
    const learner = MODEL.createLearner(NAMES)
    learnAll(learner, cases(9, 10))
    const pages = learner.changedPages()
    const others = ['risk', 'amount', 'noise', 'code']
    expect(() => MODEL.createLearner(others).restore(pages)).toThrow('other features')
    expect(() => MODEL.createLearner(NAMES).restore(pages)).not.toThrow()
  })

  it('refuses updates of a model with other features', () => {
    const learner = MODEL.createLearner(NAMES)
    learnAll(learner, cases(10, 10))
    const update = learner.takeUpdate()!
    expect(() => MODEL.createScorer(['a']).apply(update)).toThrow('4 features')
  })
})
