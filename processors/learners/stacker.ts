import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { logOdds, sigmoid } from './sigmoid.ts'

/** What a scorer needs: blended log-odds = scale · base + Σ share · (model - base) + bias. */
export interface BlendSettings {
  readonly scale: number
  readonly bias: number
  /** By model; each at least 0, together at most `scale`. */
  readonly shares: readonly (readonly [name: string, share: number])[]
}

/** The base alone. */
export const UNBLENDED: BlendSettings = { scale: 1, bias: 0, shares: [] }

/** One model's log-odds for an example. */
export interface ModelLogit {
  readonly name: string
  readonly rawLogit: number
}

/** A probability of exactly 0 or 1 is a model's rounding, not its certainty: it counts as one in a hundred thousand. */
const MOST_CERTAIN = 1e-5

/** Log-odds of a model's probability, bounded. */
export function modelLogit(probability: number): number {
  return logOdds(Math.min(Math.max(probability, MOST_CERTAIN), 1 - MOST_CERTAIN))
}

/** Blended log-odds. A model without a share, or without an answer, leaves its part to the base. */
export function blendedLogit(
  { scale, bias, shares }: BlendSettings,
  base: number,
  models: readonly ModelLogit[],
): number {
  let logit = scale * base + bias
  for (const { name, rawLogit } of models) {
    const share = shares.find(([known]) => known === name)?.[1]
    if (share !== undefined) logit += share * (rawLogit - base)
  }
  return logit
}

export function writeBlend(writer: ByteWriter, { scale, bias, shares }: BlendSettings): void {
  writer.float64(scale)
  writer.float64(bias)
  writer.varint(shares.length)
  for (const [name, share] of shares) {
    writer.text(name)
    writer.float64(share)
  }
}

export function readBlend(reader: ByteReader): BlendSettings {
  const scale = reader.float64()
  const bias = reader.float64()
  const shares = Array.from({ length: reader.varint() }, () => [reader.text(), reader.float64()] as const)
  return { scale, bias, shares }
}

/** About so many of the latest labels count: weights are steadier than what they weigh (calibration remembers 50,000). */
const MEMORY = 200_000
const RETAIN = 1 - 1 / MEMORY
/** Weights of the prior belief, which does not fade: scale 1, bias 0, every share 0. */
const PRIOR_WEIGHT = 1
const PRIOR_BIAS = 0.1
/** The base and the bias stand before the models. */
const FIRST_MODEL = 2

/**
 * Stacking learnt online (Wolpert 1992): logistic regression on the log-odds of a base model and of models that come and go, by
 * iteratively reweighted least squares with exponential fading, one Newton step per label, like `Calibrator` with more than
 * one input. It begins with the base alone and moves as labels say so. Shares are not negative (Breiman, "Stacked
 * Regressions", 1996, for why): what the models say is averaged, never played off against each other.
 *
 * Learns from the log-odds as they were served, so a model is weighed by what it said about events it was not trained on.
 * Cost per label: (models + 2)³ / 6 multiplications.
 */
export class Stacker {
  readonly #names: string[] = []
  #weights: number[] = [1, 0]
  /** Faded sums of curvature · z zᵀ, and of curvature · linearised target · z. */
  #curvature: number[][] = [
    [0, 0],
    [0, 0],
  ]
  #targets: number[] = [0, 0]

  /** Learns from what was served, and the truth. Examples without a model, or with numbers that are not finite, teach nothing. */
  observe(base: number, models: readonly ModelLogit[], label: 0 | 1): void {
    if (models.length === 0 || !Number.isFinite(base)) return
    for (const { name } of models) if (!this.#names.includes(name)) this.#add(name)
    const z = new Array<number>(this.#weights.length).fill(0)
    z[0] = base
    z[1] = 1
    for (const { name, rawLogit } of models) z[FIRST_MODEL + this.#names.indexOf(name)] = rawLogit - base
    if (!z.every(Number.isFinite)) return
    const fitted = z.reduce((sum, value, i) => sum + value * this.#weights[i]!, 0)
    const p = sigmoid(fitted)
    // A floor on the curvature bounds the step that one surprising label can cause.
    const curvature = Math.max(p * (1 - p), 1e-4)
    const target = curvature * fitted + label - p
    for (let i = 0; i < z.length; i++) {
      const row = this.#curvature[i]!
      for (let j = 0; j <= i; j++) row[j] = row[j]! * RETAIN + curvature * z[i]! * z[j]!
      this.#targets[i] = this.#targets[i]! * RETAIN + target * z[i]!
    }
    this.#weights = this.#solved()
  }

  settings(): BlendSettings {
    const scale = Math.max(0, this.#weights[0]!)
    const shares = this.#names.map((_, i) => Math.max(0, this.#weights[FIRST_MODEL + i]!))
    const sum = shares.reduce((total, share) => total + share, 0)
    const shrink = sum > scale ? scale / sum : 1
    return { scale, bias: this.#weights[1]!, shares: this.#names.map((name, i) => [name, shares[i]! * shrink]) }
  }

  encode(): Uint8Array {
    const writer = new ByteWriter(256)
    writer.varint(this.#names.length)
    for (const name of this.#names) writer.text(name)
    for (const values of [this.#weights, this.#targets, ...this.#curvature]) {
      for (const value of values) writer.float64(value)
    }
    return writer.take()
  }

  /** A stacker that continues from what `encode` gave, bit for bit. */
  static decode(bytes: Uint8Array): Stacker {
    const reader = new ByteReader(bytes)
    const stacker = new Stacker()
    for (let names = reader.varint(); names > 0; names--) stacker.#add(reader.text())
    const read = (values: readonly number[]): number[] => values.map(() => reader.float64())
    stacker.#weights = read(stacker.#weights)
    stacker.#targets = read(stacker.#targets)
    stacker.#curvature = stacker.#curvature.map(read)
    return stacker
  }

  #add(name: string): void {
    this.#names.push(name)
    this.#weights.push(0)
    this.#targets.push(0)
    for (const row of this.#curvature) row.push(0)
    this.#curvature.push(new Array<number>(this.#weights.length).fill(0))
  }

  /** Solves (curvature + prior) w = targets + prior · (1, 0, 0 …) by Cholesky's decomposition; the prior keeps it positive. */
  #solved(): number[] {
    const size = this.#weights.length
    const lower: number[][] = []
    const w: number[] = []
    for (let i = 0; i < size; i++) {
      const row: number[] = []
      for (let j = 0; j <= i; j++) {
        let sum = this.#curvature[i]![j]!
        if (i === j) sum += i === 1 ? PRIOR_BIAS : PRIOR_WEIGHT
        for (let k = 0; k < j; k++) sum -= row[k]! * (i === j ? row : lower[j]!)[k]!
        row.push(i === j ? Math.sqrt(sum) : sum / lower[j]![j]!)
      }
      lower.push(row)
      let right = this.#targets[i]! + (i === 0 ? PRIOR_WEIGHT : 0)
      for (let k = 0; k < i; k++) right -= row[k]! * w[k]!
      w.push(right / row[i]!)
    }
    for (let i = size - 1; i >= 0; i--) {
      for (let k = i + 1; k < size; k++) w[i]! -= lower[k]![i]! * w[k]!
      w[i]! /= lower[i]![i]!
    }
    return w
  }
}
