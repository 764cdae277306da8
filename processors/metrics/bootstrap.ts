import { hash32 } from '../random.ts'
import { rankScores } from './ranked-scores.ts'
import { countAbove, thresholdAtFpr } from './ranking.ts'

/** An estimate with its percentile interval. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface BootstrapOptions {
  readonly seed: number
  /** How often the data are drawn again, e.g. 200. */
  readonly resamples: number
  /** Share of resamples inside the interval. Default 0.95. */
  readonly confidence?: number
}

export interface ArmScores {
  /** float64 [n], rows as in `labels`. */
  readonly scores: Float64Array
  /** The false-positive rate at which this arm's recall is read. */
  readonly fpr: number
}

/** Recall of two arms on the same payments, and what the second gains over the first. */
export interface RecallComparison {
  readonly first: Interval
  readonly second: Interval
  /** second − first, resampled in pairs: both arms see the same draws. */
  readonly difference: Interval
}

/**
 * Poisson bootstrap (Chamandy et al. 2012) of recall at a false-positive rate. Each payment's weight in a resample is a
 * hash of (seed, resample, row): arms are paired by construction and nothing is stored. Only the highest-scored
 * negatives can move a threshold, so only these are drawn again; the total of the others is taken at its mean, which
 * shifts the threshold's rank by less than 1/√n. Cost: O(resamples · (frauds + 2 · fpr · n)).
 */
export function compareRecall(
  labels: Uint8Array,
  first: ArmScores,
  second: ArmScores,
  options: BootstrapOptions,
): RecallComparison {
  const frauds = rowsOf(labels)
  const arms = [first, second].map((arm) => prepare(labels, arm))
  const recalls = arms.map(() => new Float64Array(options.resamples))
  const differences = new Float64Array(options.resamples)
  for (let resample = 0; resample < options.resamples; resample++) {
    arms.forEach((arm, which) => {
      const threshold = resampledThreshold(arm, options.seed, resample)
      let caught = 0
      let total = 0
      for (let i = 0; i < frauds.length; i++) {
        const row = frauds[i]!
        const weight = poissonWeight(options.seed, resample, row)
        total += weight
        if (arm.scores[row]! > threshold) caught += weight
      }
      recalls[which]![resample] = caught / total
    })
    differences[resample] = recalls[1]![resample]! - recalls[0]![resample]!
  }
  const confidence = options.confidence ?? 0.95
  return {
    first: interval(arms[0]!.recall, recalls[0]!, confidence),
    second: interval(arms[1]!.recall, recalls[1]!, confidence),
    difference: interval(arms[1]!.recall - arms[0]!.recall, differences, confidence),
  }
}

interface PreparedArm {
  readonly scores: Float64Array
  readonly recall: number
  /** Rows of the highest-scored negatives, descending. */
  readonly top: Uint32Array
  /** How many negatives may be flagged. */
  readonly allowed: number
}

function prepare(labels: Uint8Array, { scores, fpr }: ArmScores): PreparedArm {
  const { positives, negatives } = rankScores(scores, labels)
  const recall = countAbove(positives, thresholdAtFpr(negatives, fpr)) / positives.length
  const allowed = fpr * negatives.length
  const wanted = Math.min(negatives.length, Math.ceil(2 * allowed + 40))
  const cut = wanted === 0 ? Number.POSITIVE_INFINITY : negatives[wanted - 1]!
  const rows: number[] = []
  for (let row = 0; row < labels.length; row++) if (labels[row] !== 1 && scores[row]! >= cut) rows.push(row)
  const top = Uint32Array.from(rows).sort((a, b) => scores[b]! - scores[a]!)
  return { scores, recall, top, allowed }
}

/** The score at which the weight of higher negatives reaches what is allowed. */
function resampledThreshold(arm: PreparedArm, seed: number, resample: number): number {
  let weight = 0
  for (let i = 0; i < arm.top.length; i++) {
    weight += poissonWeight(seed, resample, arm.top[i]!)
    if (weight > arm.allowed + 1e-9) return arm.scores[arm.top[i]!]!
  }
  return arm.top.length === 0 ? Number.NEGATIVE_INFINITY : lowest(arm)
}

function lowest(arm: PreparedArm): number {
  return arm.scores[arm.top[arm.top.length - 1]!]!
}

/** Cumulative Poisson(1) probabilities, on the scale of uint32. */
const CUMULATIVE = [
  0.36787944117144233, 0.7357588823428847, 0.9196986029286058, 0.9810118431238462, 0.9963401531726563,
  0.9994058151824183, 0.9999167588507119, 0.9999897508033253,
].map((probability) => probability * 2 ** 32)

function poissonWeight(seed: number, resample: number, row: number): number {
  const u = hash32(seed, resample, row)
  let weight = 0
  while (weight < CUMULATIVE.length && u >= CUMULATIVE[weight]!) weight++
  return weight
}

function rowsOf(labels: Uint8Array): Uint32Array {
  const rows: number[] = []
  for (let row = 0; row < labels.length; row++) if (labels[row] === 1) rows.push(row)
  return Uint32Array.from(rows)
}

function interval(value: number, draws: Float64Array, confidence: number): Interval {
  const sorted = draws.filter((draw) => !Number.isNaN(draw)).sort()
  if (sorted.length === 0) return { value, low: Number.NaN, high: Number.NaN }
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!
  return { value, low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) }
}
