import { seededRandom } from '../../gpu/train/parameters.ts'

/** Rows with the answers of two tasks that are related by construction. */
export interface RelatedTasks {
  /** float32 [rows, columns], standard normal. */
  readonly x: Float32Array
  /** 0 or 1 per row. */
  readonly first: Uint8Array
  readonly second: Uint8Array
}

export interface RelatedTasksSettings {
  readonly columns: number
  /** Directions of x that matter, to both tasks alike. */
  readonly shared: number
  /** The cosine between what task 1 and task 2 make of the shared units: 1 is the same task twice. */
  readonly relation: number
  /** Share of answers of the training rows that are turned round, per task and independently. */
  readonly noise: number
}

/** The median of |z| for a standard normal z: above it half the time. */
const MEDIAN = 0.6745

/**
 * Two binary tasks whose relation is known: both see x only through the same few hidden units hₖ = |uₖ·x| − median, u unit
 * directions drawn by `seed`; task 1 asks whether a·h > 0, task 2 whether b·h > 0, with cos(a, b) = `relation`. No linear model
 * learns either; to find u is most of the work, and every answer of either task tells of it. `turned` answers are noise.
 */
export function relatedTasks(
  { columns, shared, relation, noise }: RelatedTasksSettings,
  seed: number,
): (rows: number, turned: 'with noise' | 'without noise', draw: number) => RelatedTasks {
  const world = seededRandom(seed)
  const directions = Array.from({ length: shared }, () => unit(columns, world))
  const a = unit(shared, world)
  const b = atCosine(a, unit(shared, world), relation)
  return (rows, turned, draw) => {
    const random = seededRandom(seed * 1_000 + draw)
    const x = Float32Array.from({ length: rows * columns }, () => normal(random))
    const first = new Uint8Array(rows)
    const second = new Uint8Array(rows)
    for (let row = 0; row < rows; row++) {
      const seen = x.subarray(row * columns, (row + 1) * columns)
      const hidden = directions.map((direction) => Math.abs(dot(direction, seen)) - MEDIAN)
      const [turnFirst, turnSecond] = [random() < noise, random() < noise]
      first[row] = Number(dot(a, hidden) > 0 !== (turnFirst && turned === 'with noise'))
      second[row] = Number(dot(b, hidden) > 0 !== (turnSecond && turned === 'with noise'))
    }
    return { x, first, second }
  }
}

function unit(length: number, random: () => number): readonly number[] {
  return scaled(Array.from({ length }, () => normal(random)))
}

/** The unit vector at that cosine to `a`, in the plane of `a` and `other`. */
function atCosine(a: readonly number[], other: readonly number[], cosine: number): readonly number[] {
  const along = dot(a, other)
  const across = scaled(other.map((value, i) => value - along * a[i]!))
  return a.map((value, i) => cosine * value + Math.sqrt(1 - cosine ** 2) * across[i]!)
}

function scaled(direction: readonly number[]): readonly number[] {
  const size = Math.hypot(...direction)
  return direction.map((value) => value / size)
}

function dot(a: readonly number[], b: ArrayLike<number>): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}

/** Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
