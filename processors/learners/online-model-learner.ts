import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { Encoder, type SparseExample } from './encoder.ts'
import { Ftrl } from './ftrl.ts'
import { createKernel } from './ftrl-simd.ts'
import type { ModelLearner } from './online-model.ts'
import type { FtrlModel } from './online-model-scorer.ts'
import { encodeUpdate } from './online-model-update.ts'

const BASELINE_PAGE = 'baseline'
const FEATURES_PAGE = 'features'
/** Every so many examples one enters the mean contributions: they need not be exact, and cost as much as a score. */
const SAMPLE_EVERY = 16
/** The mean contributions follow about the last so many samples. */
const SAMPLES_KEPT = 1024

/** Learns by FTRL-Proximal, and keeps the mean contribution of each feature, so that reasons can be told from it. */
export class FtrlModelLearner implements ModelLearner {
  #learnt = 0
  #learntAtLastUpdate = 0
  /** float64 [features] */
  readonly #baseline: Float64Array
  #baselineChanged = false
  readonly #encoder: Encoder
  readonly #example: SparseExample
  readonly #model: Ftrl
  /** What the slots mean, as bytes. */
  readonly #features: Uint8Array
  #featuresWritten = false

  constructor(featureNames: readonly string[], model: FtrlModel) {
    this.#encoder = new Encoder(featureNames, model.encoder)
    this.#example = this.#encoder.createExample()
    this.#model = new Ftrl({ ...model.settings, bits: this.#encoder.bits }, createKernel)
    this.#baseline = new Float64Array(featureNames.length)
    this.#features = new TextEncoder().encode(JSON.stringify({ features: featureNames, ...model.encoder }))
  }

  learn(features: Float64Array, label: 0 | 1, weight: number): void {
    const example = this.#example
    this.#encoder.encode(features, example)
    if (this.#learnt % SAMPLE_EVERY === 0) this.#sample(example)
    this.#model.learn(example.indices, example.values, example.length, label, weight)
    this.#learnt++
    this.#baselineChanged = true
  }

  takeUpdate(): Uint8Array | null {
    if (this.#learnt === this.#learntAtLastUpdate) return null
    this.#learntAtLastUpdate = this.#learnt
    this.#baselineChanged = true
    const delta = this.#model.takeDelta()
    return encodeUpdate({ version: this.#learnt, baseline: Float32Array.from(this.#baseline), delta })
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    const pages = [...this.#model.changedPages()]
    if (!this.#featuresWritten) pages.push([FEATURES_PAGE, this.#features])
    this.#featuresWritten = true
    if (!this.#baselineChanged) return pages
    this.#baselineChanged = false
    const writer = new ByteWriter()
    writer.varint(this.#learnt)
    writer.varint(this.#learntAtLastUpdate)
    for (const mean of this.#baseline) writer.float64(mean)
    pages.push([BASELINE_PAGE, writer.take()])
    return pages
  }

  /** Throws MODEL_INVALID where the pages were learnt from other features or under other settings. */
  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    const features = pages.find(([page]) => page === FEATURES_PAGE)?.[1]
    if (features !== undefined && !sameBytes(features, this.#features)) {
      throw new RheoError('MODEL_INVALID', 'the stored model was learnt from other features', {
        hint: 'Run with the features the model was learnt from, or start with an empty state.',
      })
    }
    this.#featuresWritten = features !== undefined
    this.#model.restore(pages)
    this.#learnt = 0
    this.#learntAtLastUpdate = 0
    this.#baseline.fill(0)
    this.#baselineChanged = false
    for (const [page, value] of pages) {
      if (page !== BASELINE_PAGE) continue
      const reader = new ByteReader(value)
      this.#learnt = reader.varint()
      this.#learntAtLastUpdate = reader.varint()
      for (let f = 0; f < this.#baseline.length; f++) this.#baseline[f] = reader.float64()
    }
  }

  /** Moves the mean contributions towards this example's. */
  #sample(example: SparseExample): void {
    const baseline = this.#baseline
    const step = 1 / Math.min(SAMPLES_KEPT, this.#learnt / SAMPLE_EVERY + 1)
    for (let f = 0; f < baseline.length; f++) baseline[f]! *= 1 - step
    for (let i = 1; i < example.length; i++) {
      const term = step * this.#model.weight(example.indices[i]!) * example.values[i]!
      const partner = example.partners[i]!
      baseline[example.owners[i]!]! += partner < 0 ? term : term / 2
      if (partner >= 0) baseline[partner]! += term / 2
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
