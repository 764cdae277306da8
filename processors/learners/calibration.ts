import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { sigmoid } from './sigmoid.ts'

/** What a scorer needs: calibrated log-odds = slope · logit + intercept, slope > 0. */
export interface CalibrationSettings {
  readonly slope: number
  readonly intercept: number
}

export const UNCALIBRATED: CalibrationSettings = { slope: 1, intercept: 0 }

/** Calibrated log-odds. Strictly increasing in the logit, so calibration changes no ranking. */
export function calibratedLogit(logit: number, { slope, intercept }: CalibrationSettings): number {
  return slope * logit + intercept
}

/** Calibrated probability of label 1. */
export function calibratedProbability(logit: number, settings: CalibrationSettings): number {
  return sigmoid(calibratedLogit(logit, settings))
}

export interface CalibratorOptions {
  /** About how many of the latest labels count: each new one fades the older ones by 1 - 1 / memory. Default 50,000. */
  readonly memory?: number
  /** The slope never falls below this, or the ranking would be lost. Default 0.05. */
  readonly minSlope?: number
}

/** Weight of the prior belief in slope 1 and intercept 0; it does not fade. */
const PRIOR_SLOPE = 1
const PRIOR_INTERCEPT = 0.1

/**
 * Platt scaling learnt online: slope and intercept by iteratively reweighted least squares with exponential fading, one
 * Newton step per label. Memory and cost per label are constant. (Platt 1999; the recursion is that of logistic
 * regression by recursive least squares with a forgetting factor.)
 */
export class Calibrator {
  readonly memory: number
  readonly #retain: number
  readonly #minSlope: number
  #slope = 1
  #intercept = 0
  /** Faded sums of the curvature p(1 - p) times 1, x and x². */
  #h = 0
  #hx = 0
  #hxx = 0
  /** Faded sums of curvature · linearised target, times 1 and x. */
  #t = 0
  #tx = 0

  constructor({ memory = 50_000, minSlope = 0.05 }: CalibratorOptions = {}) {
    if (!(memory >= 1) || !(minSlope > 0 && minSlope <= 1)) {
      throw new RheoError('CONFIG_INVALID', `calibration memory ${memory} or minSlope ${minSlope} is out of range`, {
        hint: 'memory counts labels, at least 1; minSlope lies above 0 and is at most 1.',
      })
    }
    this.memory = memory
    this.#retain = 1 - 1 / memory
    this.#minSlope = minSlope
  }

  /** Learns from the logit as the model gave it (not calibrated) and the truth. A logit that is not finite is ignored. */
  observe(logit: number, label: 0 | 1, weight = 1): void {
    if (!Number.isFinite(logit)) return
    const fitted = this.#slope * logit + this.#intercept
    const p = sigmoid(fitted)
    // A floor on the curvature bounds the step that one surprising label can cause.
    const curvature = weight * Math.max(p * (1 - p), 1e-4)
    const target = curvature * fitted + weight * (label - p)
    this.#h = this.#h * this.#retain + curvature
    this.#hx = this.#hx * this.#retain + curvature * logit
    this.#hxx = this.#hxx * this.#retain + curvature * logit * logit
    this.#t = this.#t * this.#retain + target
    this.#tx = this.#tx * this.#retain + target * logit
    this.#solve()
  }

  settings(): CalibrationSettings {
    return { slope: this.#slope, intercept: this.#intercept }
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    const { memory } = this
    for (const value of [memory, this.#minSlope, this.#slope, this.#intercept]) writer.float64(value)
    for (const value of [this.#h, this.#hx, this.#hxx, this.#t, this.#tx]) writer.float64(value)
    return writer.take()
  }

  /** A calibrator that continues from what `encode` gave, bit for bit. */
  static decode(bytes: Uint8Array): Calibrator {
    const reader = new ByteReader(bytes)
    const calibrator = new Calibrator({ memory: reader.float64(), minSlope: reader.float64() })
    calibrator.#slope = reader.float64()
    calibrator.#intercept = reader.float64()
    calibrator.#h = reader.float64()
    calibrator.#hx = reader.float64()
    calibrator.#hxx = reader.float64()
    calibrator.#t = reader.float64()
    calibrator.#tx = reader.float64()
    return calibrator
  }

  /** The least squares solution; where its slope is too small, the best intercept for the smallest slope allowed. */
  #solve(): void {
    const a = this.#hxx + PRIOR_SLOPE
    const b = this.#hx
    const d = this.#h + PRIOR_INTERCEPT
    const right = this.#tx + PRIOR_SLOPE
    this.#slope = Math.max(this.#minSlope, (d * right - b * this.#t) / (a * d - b * b))
    this.#intercept = (this.#t - b * this.#slope) / d
  }
}
