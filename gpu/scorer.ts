import type { RheoError } from '../schemas/errors.ts'

/** Which model gave a score: what the score event names, and what "what served at offset N" is answered with. */
export interface ModelVersion {
  readonly name: string
  readonly version: string
  /** SHA-256 of the model file, hex. */
  readonly sha256: string
}

export interface Scores {
  /** Each of the manifest's outputs, float32 [batch, width], row-major. All numbers are finite. */
  readonly outputs: ReadonlyMap<string, Float32Array>
  readonly model: ModelVersion
  /** Why these are not the scores of the wanted model on the wanted provider; null: they are. The score event's `degraded` flag. */
  readonly degraded: RheoError | null
}

/**
 * Turns a batch of features into scores: one model version on one provider.
 *
 * `features` is float32 [batch, features], row-major, in the order of the manifest's inputs; NaN is a missing value and is
 * treated by the manifest's rule. The array may be reused once the promise is settled.
 * Fails with MODEL_INVALID (outputs of another shape, NaN, infinity) or PROVIDER_UNAVAILABLE (the device died);
 * the scorer stays usable for another try. Not batch invariant in the last bits: a score never feeds state directly.
 */
export interface Scorer {
  readonly model: ModelVersion
  /** Its runs leave the calling thread free. Absent: they may hold it until they end. */
  readonly runsBeside?: boolean
  score(features: Float32Array, batch: number): Promise<Scores>
  close(): Promise<void>
}
