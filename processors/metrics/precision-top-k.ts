/**
 * Precision among the k highest scores of each period, averaged over the periods: how often an investigator with k
 * cases a day finds fraud. Ties at the cut share its places evenly. A period with fewer than k payments counts over
 * what it has. NaN without payments.
 *
 * @param timesMs float64 [n], event time
 * @param periodMs e.g. a day; periods start at multiples of it since 1970 (UTC midnights)
 */
export function precisionTopK(
  scores: Float64Array,
  labels: Uint8Array,
  timesMs: Float64Array,
  k: number,
  periodMs: number,
): number {
  const periods = new Map<number, number[]>()
  for (let i = 0; i < scores.length; i++) {
    const period = Math.floor(timesMs[i]! / periodMs)
    const rows = periods.get(period)
    if (rows === undefined) periods.set(period, [i])
    else rows.push(i)
  }
  let sum = 0
  for (const rows of periods.values()) {
    rows.sort((a, b) => scores[b]! - scores[a]!)
    sum += fraudsAmongFirst(rows, scores, labels, k) / Math.min(k, rows.length)
  }
  return sum / periods.size
}

function fraudsAmongFirst(rows: readonly number[], scores: Float64Array, labels: Uint8Array, k: number): number {
  if (rows.length <= k) return rows.reduce((sum, row) => sum + labels[row]!, 0)
  const cut = scores[rows[k - 1]!]!
  let above = 0
  let fraudsAbove = 0
  let tied = 0
  let fraudsTied = 0
  for (const row of rows) {
    if (scores[row]! > cut) {
      above++
      fraudsAbove += labels[row]!
    } else if (scores[row] === cut) {
      tied++
      fraudsTied += labels[row]!
    } else break
  }
  return fraudsAbove + (fraudsTied * (k - above)) / tied
}
