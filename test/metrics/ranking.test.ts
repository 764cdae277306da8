import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { precisionTopK } from '../../processors/metrics/precision-top-k.ts'
import { rankScores } from '../../processors/metrics/ranked-scores.ts'
import { averagePrecision, precisionRecallCurve, recallAtFpr, rocAuc } from '../../processors/metrics/ranking.ts'

const rank = (scores: readonly number[], labels: readonly number[]) =>
  rankScores(Float64Array.from(scores), Uint8Array.from(labels))

/** Few distinct scores, so that ties are common. */
const sample = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 1 })), { minLength: 2, maxLength: 60 })
  .filter((rows) => rows.some(([, label]) => label === 1) && rows.some(([, label]) => label === 0))
  .map((rows) => ({ scores: rows.map(([score]) => score / 12), labels: rows.map(([, label]) => label) }))

describe('ranking metrics', () => {
  test('by hand: four payments, no ties', () => {
    const ranked = rank([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    expect(rocAuc(ranked)).toBe(0.75)
    expect(averagePrecision(ranked)).toBeCloseTo((1 + 2 / 3) / 2, 12)
    expect(recallAtFpr(ranked, 0)).toBe(0.5)
    expect(recallAtFpr(ranked, 0.5)).toBe(1)
  })

  test('by hand: all tied says nothing', () => {
    const ranked = rank([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 1])
    expect(rocAuc(ranked)).toBe(0.5)
    expect(averagePrecision(ranked)).toBe(0.5)
    expect(recallAtFpr(ranked, 0.4)).toBe(0)
    expect(recallAtFpr(ranked, 1)).toBe(1)
  })

  test('AUC equals the count over all pairs', () => {
    fc.assert(
      fc.property(sample, ({ scores, labels }) => {
        let wins = 0
        let pairs = 0
        for (let i = 0; i < scores.length; i++) {
          for (let j = 0; j < scores.length; j++) {
            if (labels[i] !== 1 || labels[j] !== 0) continue
            pairs++
            wins += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0
          }
        }
        expect(rocAuc(rank(scores, labels))).toBeCloseTo(wins / pairs, 12)
      }),
    )
  })

  test('average precision equals the mean over frauds of the precision at their own score', () => {
    fc.assert(
      fc.property(sample, ({ scores, labels }) => {
        const precisions = scores
          .filter((_, i) => labels[i] === 1)
          .map((score) => {
            const flagged = scores.map((_, i) => i).filter((i) => scores[i]! >= score)
            return flagged.filter((i) => labels[i] === 1).length / flagged.length
          })
        const mean = precisions.reduce((a, b) => a + b, 0) / precisions.length
        expect(averagePrecision(rank(scores, labels))).toBeCloseTo(mean, 12)
      }),
    )
  })

  test('recall at a false-positive rate is the best among all thresholds that keep it', () => {
    fc.assert(
      fc.property(sample, fc.double({ min: 0, max: 1, noNaN: true }), ({ scores, labels }, fpr) => {
        let best = 0
        for (const threshold of [...scores, 2]) {
          const flagged = (label: number) => scores.filter((s, i) => labels[i] === label && s >= threshold).length
          const total = (label: number) => labels.filter((l) => l === label).length
          if (flagged(0) / total(0) <= fpr) best = Math.max(best, flagged(1) / total(1))
        }
        expect(recallAtFpr(rank(scores, labels), fpr)).toBeCloseTo(best, 12)
      }),
    )
  })

  test('no order of the rows changes anything', () => {
    fc.assert(
      fc.property(sample, ({ scores, labels }) => {
        const forwards = rank(scores, labels)
        const backwards = rank([...scores].reverse(), [...labels].reverse())
        expect(rocAuc(backwards)).toBe(rocAuc(forwards))
        expect(averagePrecision(backwards)).toBe(averagePrecision(forwards))
      }),
    )
  })

  test('the curve ends at full recall and holds only points that exist', () => {
    const curve = precisionRecallCurve(rank([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]), 100)
    expect(curve.map(({ recall, precision }) => [recall, precision])).toEqual([
      [0.5, 1],
      [1, 2 / 3],
    ])
  })

  test('a score that is not a number is refused', () => {
    expect(() => rank([Number.NaN], [1])).toThrow(RangeError)
    expect(() => rank([0.1], [])).toThrow(RangeError)
  })
})

describe('precision among the top k of a day', () => {
  const day = 86_400_000
  const topK = (scores: number[], labels: number[], days: number[], k: number) =>
    precisionTopK(
      Float64Array.from(scores),
      Uint8Array.from(labels),
      Float64Array.from(days.map((d) => d * day)),
      k,
      day,
    )

  test('by hand: two days averaged, each on its own', () => {
    expect(topK([0.9, 0.8, 0.1, 0.3, 0.2, 0.1], [1, 0, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1], 2)).toBe(0.25)
  })

  test('ties at the cut share its places, whatever their order', () => {
    expect(topK([0.9, 0.5, 0.5, 0.5], [1, 1, 0, 0], [0, 0, 0, 0], 2)).toBeCloseTo((1 + 1 / 3) / 2, 12)
    expect(topK([0.5, 0.5, 0.5, 0.9], [0, 0, 1, 1], [0, 0, 0, 0], 2)).toBeCloseTo((1 + 1 / 3) / 2, 12)
  })

  test('a day with fewer than k payments counts over what it has', () => {
    expect(topK([0.9], [1], [0], 100)).toBe(1)
  })
})
