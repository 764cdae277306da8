import type { Resident } from '../step.ts'
import type { EncoderOptions } from './encoder.ts'
import type { FtrlSettings } from './ftrl.ts'
import { FtrlModelLearner } from './online-model-learner.ts'
import { FtrlModelScorer } from './online-model-scorer.ts'
import { SharedEncoding } from './shared-encoding.ts'

/** A model that learns from every label: a learner somewhere, and scorers that follow it by its updates. */
export interface OnlineModelSpec {
  readonly name: string
  /** Features whose numbers are names (category codes); a dense model beside it treats them so, too. Default: none. */
  readonly categorical?: readonly string[]
  /** `featureNames` says what stands where in the feature vectors, the same for learner and scorers. */
  createScorer(featureNames: readonly string[]): ModelScorer
  createLearner(featureNames: readonly string[]): ModelLearner
}

/** One scorer's copy of the model. */
export interface ModelScorer extends Resident {
  /** How many labels the learner had learnt from when it made the update applied last; 0 before the first. */
  readonly version: number
  /** The log-odds of a usual example: what the contributions are measured from. */
  readonly bias: number
  /** Log-odds of label 1. `features`: float64 [features], NaN = missing. */
  logit(features: Float64Array): number
  /**
   * Fills `out`, float64 [features], with how much each feature moves the log-odds away from those of a usual example.
   * They sum with `bias` to the logit (within the rounding of float32).
   */
  contributions(features: Float64Array, out: Float64Array): void
  /** Follows the learner by one update. */
  apply(update: Uint8Array): void
}

/** The model's single writer. */
export interface ModelLearner extends Resident {
  /** One step towards `label`, its gradient multiplied by `weight`. `features`: what was served with the score. */
  learn(features: Float64Array, label: 0 | 1, weight: number): void
  /** What changed since the last call, for every scorer; null: nothing. */
  takeUpdate(): Uint8Array | null
}

export interface FtrlModelOptions extends EncoderOptions, Partial<Omit<FtrlSettings, 'bits'>> {
  readonly name?: string
}

/**
 * A model that learns online: FTRL-Proximal over the soft bins of `Encoder`. An example has two entries per known
 * feature, so the step size is spread over them; the defaults hold for tens to hundreds of features and need no tuning
 * to the data.
 */
export function ftrl(options: FtrlModelOptions = {}): OnlineModelSpec {
  const { name = 'ftrl', categorical = [], crosses = [], ...settings } = options
  const model = { encoder: { categorical, crosses }, settings: { ...DEFAULT_SETTINGS, ...settings } }
  const encodings = new Map<string, SharedEncoding>()
  const encodingOf = (featureNames: readonly string[]): SharedEncoding => {
    const id = featureNames.join('\n')
    const known = encodings.get(id) ?? new SharedEncoding(featureNames, model.encoder)
    encodings.set(id, known)
    return known
  }
  return {
    name,
    categorical,
    createScorer: (featureNames) => new FtrlModelScorer(encodingOf(featureNames)),
    createLearner: (featureNames) => new FtrlModelLearner(featureNames, model),
  }
}

const DEFAULT_SETTINGS = { alpha: 0.2, beta: 1, lambda1: 0.3, lambda2: 1, retain: 1 - 1e-6 }
