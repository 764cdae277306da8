/** Two-sided 97.5 % points of Student's t, by degrees of freedom from 1: for means over 2 to 10 seeds. */
const STUDENT_T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]

export interface Interval {
  readonly mean: number
  /** Half the width of the 95 % confidence interval of the mean (Student's t). */
  readonly half: number
}

/** The mean over seeds with its 95 % interval. Two to ten values. */
export function interval(values: readonly number[]): Interval {
  const n = values.length
  const t = STUDENT_T[n - 2]
  if (t === undefined) throw new Error(`An interval of ${n} values is not tabulated.`)
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  return { mean, half: t * Math.sqrt(variance / n) }
}

/** `85.31 ± 0.42`. */
export function written({ mean, half }: Interval, digits = 2): string {
  return `${mean.toFixed(digits)} ± ${half.toFixed(digits)}`
}
