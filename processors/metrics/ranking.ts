import { forEachThreshold, type RankedScores } from './ranked-scores.ts'

/** Area under the ROC curve: the chance that a fraud scores above a non-fraud, ties counted half. NaN without both. */
export function rocAuc(ranked: RankedScores): number {
  let area = 0
  let truePositivesBefore = 0
  let falsePositivesBefore = 0
  forEachThreshold(ranked, (_, truePositives, falsePositives) => {
    area += ((truePositives + truePositivesBefore) / 2) * (falsePositives - falsePositivesBefore)
    truePositivesBefore = truePositives
    falsePositivesBefore = falsePositives
  })
  return area / (ranked.positives.length * ranked.negatives.length)
}

/** Average precision: Σ (recall step × precision), ties as one step, no interpolation. NaN without frauds. */
export function averagePrecision(ranked: RankedScores): number {
  let sum = 0
  let truePositivesBefore = 0
  forEachThreshold(ranked, (_, truePositives, falsePositives) => {
    sum += (truePositives - truePositivesBefore) * (truePositives / (truePositives + falsePositives))
    truePositivesBefore = truePositives
  })
  return sum / ranked.positives.length
}

/**
 * The largest recall that a threshold reaches while its false-positive rate is at most `fpr`. Chosen afterwards, with
 * all labels known: the oracle threshold, not the causal one. NaN without frauds.
 */
export function recallAtFpr({ positives, negatives }: RankedScores, fpr: number): number {
  const caught = countAbove(positives, thresholdAtFpr(negatives, fpr))
  return caught / positives.length
}

/**
 * The score that a flagged payment must exceed (strictly), so that at most the share `fpr` of the negatives is flagged.
 * -Infinity when all may be flagged.
 *
 * @param negatives float64, descending
 */
export function thresholdAtFpr(negatives: Float64Array, fpr: number): number {
  let allowed = Math.floor(fpr * negatives.length)
  // The product may round across a whole number; the quotient is what a reader would check.
  if ((allowed + 1) / negatives.length <= fpr) allowed++
  else if (allowed / negatives.length > fpr) allowed--
  return allowed >= negatives.length ? Number.NEGATIVE_INFINITY : negatives[allowed]!
}

/** How many values of a descending array exceed `threshold` strictly. O(log n). */
export function countAbove(descending: Float64Array, threshold: number): number {
  let low = 0
  let high = descending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (descending[middle]! > threshold) low = middle + 1
    else high = middle
  }
  return low
}

export interface CurvePoint {
  readonly recall: number
  readonly precision: number
  readonly threshold: number
}

/** The precision–recall curve, thinned to about `points` steps of recall; empty without frauds. */
export function precisionRecallCurve(ranked: RankedScores, points: number): CurvePoint[] {
  const curve: CurvePoint[] = []
  const step = 1 / points
  let next = 0
  forEachThreshold(ranked, (threshold, truePositives, falsePositives) => {
    const recall = truePositives / ranked.positives.length
    if (!(recall >= next)) return
    curve.push({ recall, precision: truePositives / (truePositives + falsePositives), threshold })
    next = recall + step
  })
  return curve
}
