import type { EncoderOptions, SparseExample } from './encoder.ts'
import type { FtrlSettings } from './ftrl.ts'
import { FtrlWeights } from './ftrl-weights.ts'
import type { ModelScorer } from './online-model.ts'
import { decodeBaseline, decodeUpdate, encodeBaseline } from './online-model-update.ts'
import type { SharedEncoding } from './shared-encoding.ts'

/** How an FTRL model is made, apart from its features. */
export interface FtrlModel {
  readonly encoder: EncoderOptions
  readonly settings: Omit<FtrlSettings, 'bits'>
}

const BASELINE_PAGE = 'baseline'

/** Scores with the weights of the last update. Restored from its pages it gives the same bits. */
export class FtrlModelScorer implements ModelScorer {
  #version = 0
  #bias = 0
  /** float32 [features]: each feature's mean contribution. */
  #baseline: Float32Array
  #baselineChanged = false
  readonly #encoding: SharedEncoding
  readonly #weights: FtrlWeights

  constructor(encoding: SharedEncoding) {
    this.#encoding = encoding
    this.#weights = new FtrlWeights(encoding.encoder.bits)
    this.#baseline = new Float32Array(encoding.encoder.featureCount)
  }

  get version(): number {
    return this.#version
  }

  get bias(): number {
    return this.#bias
  }

  logit(features: Float64Array): number {
    const { indices, values, length } = this.#encoding.of(features)
    return this.#weights.logit(indices, values, length)
  }

  contributions(features: Float64Array, out: Float64Array): void {
    fillContributions(this.#encoding.of(features), this.#weights.weights, 1, 0, out)
    for (let f = 0; f < out.length; f++) out[f]! -= this.#baseline[f]!
  }

  apply(update: Uint8Array): void {
    const { version, baseline, delta } = decodeUpdate(update, this.#encoding.encoder.featureCount)
    this.#weights.apply(delta)
    this.#version = version
    this.#baseline = baseline
    this.#baselineChanged = true
    this.#sumBias()
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    const pages = this.#weights.changedPages()
    if (!this.#baselineChanged) return pages
    this.#baselineChanged = false
    return [...pages, [BASELINE_PAGE, encodeBaseline(this.#version, this.#baseline)]]
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    this.#weights.restore(pages)
    this.#version = 0
    this.#baseline.fill(0)
    this.#baselineChanged = false
    for (const [page, value] of pages) {
      if (page !== BASELINE_PAGE) continue
      const { version, baseline } = decodeBaseline(value, this.#encoding.encoder.featureCount)
      this.#version = version
      this.#baseline = baseline
    }
    this.#sumBias()
  }

  #sumBias(): void {
    this.#bias = this.#baseline.reduce((sum, mean) => sum + mean, this.#weights.weights[0]!)
  }
}

/**
 * Overwrites `out`, float64 [features], with Σ w·x over each feature's entries; a cross counts half for either feature.
 * The weight of slot i stands at `weights[i * stride + offset]`.
 */
export function fillContributions(
  example: SparseExample,
  weights: Float32Array,
  stride: number,
  offset: number,
  out: Float64Array,
): void {
  const { indices, values, owners, partners, length } = example
  out.fill(0)
  for (let i = 1; i < length; i++) {
    const term = weights[indices[i]! * stride + offset]! * values[i]!
    const partner = partners[i]!
    if (partner < 0) {
      out[owners[i]!]! += term
      continue
    }
    out[owners[i]!]! += term / 2
    out[partner]! += term / 2
  }
}
