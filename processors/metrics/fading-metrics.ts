import { logLossOf } from './calibration.ts'

/** Prequential metrics of recent payments, NaN where nothing of the kind was seen. */
export interface FadingReading {
  readonly logLoss: number
  readonly recall: number
  readonly precision: number
  readonly falsePositiveRate: number
}

/**
 * Prequential metrics with a fading factor α: each new outcome multiplies the weight of all earlier ones by α, so the
 * numbers speak of about the last 1/(1 − α) outcomes, in constant memory. Gama, Sebastião and Rodrigues, "On evaluating
 * stream learning algorithms", Machine Learning 90 (2013).
 */
export interface FadingMetrics {
  /** @param flagged whether the score reached its threshold at the time it was given (the causal threshold) */
  update(probability: number, flagged: boolean, fraud: boolean): void
  read(): FadingReading
}

/** @param fadingFactor α in (0, 1]; 1 never forgets */
export function createFadingMetrics(fadingFactor: number): FadingMetrics {
  if (!(fadingFactor > 0 && fadingFactor <= 1))
    throw new RangeError(`fading factor must be in (0, 1], not ${fadingFactor}`)
  let weight = 0
  let loss = 0
  let truePositives = 0
  let falsePositives = 0
  let positives = 0
  return {
    update(probability, flagged, fraud) {
      weight = weight * fadingFactor + 1
      loss = loss * fadingFactor + logLossOf(probability, fraud)
      positives = positives * fadingFactor + (fraud ? 1 : 0)
      truePositives = truePositives * fadingFactor + (fraud && flagged ? 1 : 0)
      falsePositives = falsePositives * fadingFactor + (!fraud && flagged ? 1 : 0)
    },
    read: () => ({
      logLoss: loss / weight,
      recall: truePositives / positives,
      precision: truePositives / (truePositives + falsePositives),
      falsePositiveRate: falsePositives / (weight - positives),
    }),
  }
}
