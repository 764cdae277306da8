/** Quantiles of some numbers, to a tenth; null where there are none. */
export function quantiles(numbers: readonly number[]): Record<'p50' | 'p95' | 'p99' | 'max', number | null> {
  const sorted = Float64Array.from(numbers).sort()
  const at = (share: number): number | null =>
    sorted.length === 0
      ? null
      : Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! * 10) / 10
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}
