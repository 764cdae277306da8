import type { ListShape, StateLayout } from './entity-cells.ts'
import type { SlidingWindow } from './hops.ts'

/** What one event does to a row. Each operation is four numbers: code, column, input (or half-life), filter (−1: none). */
export const Op = {
  /** column += 1 */
  Count: 0,
  /** column += 1 if the input is there */
  Present: 1,
  /** column += 1 if the input is there and not 0 */
  True: 2,
  /** pair at column += input */
  Sum: 3,
  /** pair at column += input² */
  Squares: 4,
  /** column = min, of this row alone */
  Min: 5,
  /** column = max, of this row alone */
  Max: 6,
  /** column = the event's time, carried on */
  Since: 7,
  /** column, +1 = input, its event's time; carried on */
  Last: 8,
  /** column, +1, +2 = input, next input, their event's time; carried on */
  Point: 9,
  /** column += 2^(t / half-life); "input" is the half-life's index */
  Decay: 10,
} as const

/** Decay operations that need an input besides the half-life: six numbers, kept apart. */
export interface DecayedInput {
  readonly column: number
  readonly input: number
  readonly filter: number
  readonly halfLife: number
  /** 'present': adds the weight; 'true': the weight where the input is not 0; 'value': weight × input. */
  readonly adds: 'present' | 'true' | 'value'
}

/**
 * What the rows of one list hold besides the time of their newest event. A row stands for one event, or for neighbouring events that no window can tell apart
 * any more; most columns are running totals over all rows so far, so a window is the difference of two rows.
 */
export class RowLayout {
  readonly windows: readonly SlidingWindow[]
  readonly sizesMs: Float64Array
  readonly hopsMs: Float64Array
  /** Columns of a row. */
  readonly width: number
  /** Landmarks of the half-lives, then the times, then the rows. */
  readonly list: ListShape
  readonly ops: Int32Array
  readonly decayed: readonly DecayedInput[]
  readonly halfLivesMs: Float64Array
  /** A row before all events. */
  readonly base: Float64Array
  /** Columns that every new row starts afresh (minima, maxima). */
  readonly ownColumns: Int32Array

  constructor(parts: {
    windows: readonly SlidingWindow[]
    ops: readonly number[]
    decayed: readonly DecayedInput[]
    halfLivesMs: readonly number[]
    base: readonly number[]
    state: StateLayout
  }) {
    this.windows = parts.windows
    this.sizesMs = Float64Array.from(parts.windows, (window) => window.sizeMs)
    this.hopsMs = Float64Array.from(parts.windows, (window) => window.hopMs)
    this.width = parts.base.length
    this.list = parts.state.add(parts.halfLivesMs.length, [1, this.width])
    this.ops = Int32Array.from(parts.ops)
    this.decayed = parts.decayed
    this.halfLivesMs = Float64Array.from(parts.halfLivesMs)
    this.base = Float64Array.from(parts.base)
    const own: number[] = []
    for (let at = 0; at < parts.ops.length; at += 4) {
      if (parts.ops[at] === Op.Min || parts.ops[at] === Op.Max) own.push(parts.ops[at + 1]!)
    }
    this.ownColumns = Int32Array.from(own)
  }
}
