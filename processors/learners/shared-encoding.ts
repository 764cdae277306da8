import { Encoder, type EncoderOptions, type SparseExample } from './encoder.ts'

/**
 * The encoding of the feature vector scored last, shared by all scorers of a model: several arms score the same vector,
 * and its contributions are asked for after its score. A vector must not be changed once it was given.
 */
export class SharedEncoding {
  readonly encoder: Encoder
  readonly #example: SparseExample
  #features: Float64Array | null = null

  constructor(featureNames: readonly string[], options: EncoderOptions) {
    this.encoder = new Encoder(featureNames, options)
    this.#example = this.encoder.createExample()
  }

  /** Valid until the next call. */
  of(features: Float64Array): SparseExample {
    if (features !== this.#features) {
      this.encoder.encode(features, this.#example)
      this.#features = features
    }
    return this.#example
  }
}
