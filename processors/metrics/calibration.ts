/** One bin of a reliability diagram. */
export interface ReliabilityBin {
  readonly count: number
  /** Mean predicted probability. */
  readonly predicted: number
  /** Share of frauds among them. */
  readonly observed: number
}

/**
 * Reliability bins of about equal weight in frauds, not in payments: with 1 % fraud, bins of equal width put nearly
 * everything into the first. Bins are cut where the expected number of frauds (the sum of probabilities) reaches
 * 1/`bins` of its total; equal probabilities stay together.
 *
 * @param probabilities float64 [n] in 0..1
 * @param labels uint8 [n]
 */
export function reliabilityBins(probabilities: Float64Array, labels: Uint8Array, bins: number): ReliabilityBin[] {
  const order = new Uint32Array(probabilities.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  order.sort((a, b) => probabilities[a]! - probabilities[b]!)
  let total = 0
  for (let i = 0; i < probabilities.length; i++) total += probabilities[i]!
  const result: ReliabilityBin[] = []
  let seen = 0
  let count = 0
  let predicted = 0
  let frauds = 0
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!
    count++
    predicted += probabilities[row]!
    frauds += labels[row]!
    const tied = i + 1 < order.length && probabilities[order[i + 1]!] === probabilities[row]
    const full = seen + predicted >= ((result.length + 1) / bins) * total - 1e-12
    if ((full && !tied && result.length < bins - 1) || i === order.length - 1) {
      result.push({ count, predicted: predicted / count, observed: frauds / count })
      seen += predicted
      count = 0
      predicted = 0
      frauds = 0
    }
  }
  return result
}

/** Expected calibration error: mean |predicted − observed| over bins, weighted by payments (Naeini et al. 2015). */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  let weighted = 0
  let count = 0
  for (const bin of bins) {
    weighted += bin.count * Math.abs(bin.predicted - bin.observed)
    count += bin.count
  }
  return weighted / count
}

/** Mean −ln of the probability given to what happened; probabilities are kept 1e-15 away from 0 and 1. */
export function logLoss(probabilities: Float64Array, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < probabilities.length; i++) sum += logLossOf(probabilities[i]!, labels[i] === 1)
  return sum / probabilities.length
}

export function logLossOf(probability: number, fraud: boolean): number {
  const kept = Math.min(1 - 1e-15, Math.max(1e-15, probability))
  return -Math.log(fraud ? kept : 1 - kept)
}

/** Mean squared difference between probability and truth (Brier 1950). */
export function brierScore(probabilities: Float64Array, labels: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < probabilities.length; i++) sum += (probabilities[i]! - labels[i]!) ** 2
  return sum / probabilities.length
}
