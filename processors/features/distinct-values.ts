import {
  blocksAt,
  capacityOf,
  type EntityState,
  grow,
  type ListShape,
  lengthOf,
  reserve,
  type StateLayout,
  setLength,
} from './entity-cells.ts'
import type { SlidingWindow } from './hops.ts'

const FIRST_CAPACITY = 2
const MAX_LEVEL = 30

/** How many entries an entity may hold per field. Three quarters of it is the number of values counted exactly. */
export const DISTINCT_BOUND = 1_024

/**
 * The values of one field of one entity with their times, in time order. A value is in a window (edge, t] exactly when
 * one of its occurrences there has its next occurrence after t, so each is counted once; an occurrence whose successor
 * is settled can never be counted again, and goes.
 *
 * Beyond the bound older repetitions go, then the older half is thinned by its hashes (adaptive sampling, Flajolet 1990): an entry of level l
 * stands for 2^l values. Recent windows stay exact; a window that reaches into the sampled part has a relative standard
 * error of 3 % (3,000 values) to 6 % (100,000), bound 1,024. HyperLogLog was not taken because its registers cannot forget: sliding windows
 * would need one sketch per hop and entity, some 60 KB, where this takes 32.
 */
export interface DistinctList {
  /** Four columns, each by itself: hashes, times, times of the value's next occurrence (Infinity: none yet), levels. */
  readonly list: ListShape
  readonly windows: readonly SlidingWindow[]
  readonly bound: number
}

export function distinctList(
  state: StateLayout,
  windows: readonly SlidingWindow[],
  bound: number = DISTINCT_BOUND,
): DistinctList {
  return { list: state.add(0, [1, 1, 1, 1]), windows, bound }
}

/** Adds an occurrence of the value with this hash. O(entries); in order O(1) for a value seen shortly before. */
export function addValue(values: DistinctList, state: EntityState, hash: number, tMs: number, settled: number): void {
  const { list, bound } = values
  let length = lengthOf(state.cells, list)
  if (length + 1 > capacityOf(state.cells, list) || length >= bound) {
    makeRoom(values, state, settled)
    length = lengthOf(state.cells, list)
  }
  const { cells } = state
  const capacity = capacityOf(cells, list)
  const hashes = blocksAt(cells, list)
  const times = hashes + capacity
  const nexts = times + capacity
  let place = length
  while (place > 0 && cells[times + place - 1]! > tMs) place--
  let next = Number.POSITIVE_INFINITY
  for (let later = place; later < length; later++) {
    if (cells[hashes + later] !== hash) continue
    next = cells[times + later]!
    break
  }
  for (let earlier = place - 1; earlier >= 0; earlier--) {
    if (cells[hashes + earlier] !== hash) continue
    if (cells[times + earlier] === tMs) return
    // A thinned successor may be missing, so the nearer of the two counts.
    next = Math.min(next, cells[nexts + earlier]!)
    cells[nexts + earlier] = tMs
    break
  }
  for (let column = 0; column < 4; column++) {
    const at = hashes + column * capacity
    if (place < length) cells.copyWithin(at + place + 1, at + place, at + length)
  }
  cells[hashes + place] = hash
  cells[times + place] = tMs
  cells[nexts + place] = next
  cells[nexts + capacity + place] = 0
  setLength(cells, list, length + 1)
}

/**
 * How many different values occurred in (edgesMs[i], tMs], per window, into `counts`; edges descending. O(entries in
 * the largest window).
 */
export function countValues(
  { list }: DistinctList,
  cells: Float64Array,
  tMs: number,
  edgesMs: Float64Array,
  counts: Float64Array,
): void {
  const capacity = capacityOf(cells, list)
  const times = blocksAt(cells, list) + capacity
  const nexts = times + capacity
  const levels = nexts + capacity
  let total = 0
  let window = 0
  for (let i = lengthOf(cells, list) - 1; i >= 0; i--) {
    const time = cells[times + i]!
    while (window < edgesMs.length && time <= edgesMs[window]!) counts[window++] = total
    if (window === edgesMs.length) return
    if (time <= tMs && cells[nexts + i]! > tMs) total += cells[levels + i] === 0 ? 1 : 2 ** cells[levels + i]!
  }
  while (window < edgesMs.length) counts[window++] = total
}

/** The time of the value's newest occurrence at or before tMs; −Infinity when none is kept. */
export function lastOccurrenceMs({ list }: DistinctList, cells: Float64Array, hash: number, tMs: number): number {
  const hashes = blocksAt(cells, list)
  const times = hashes + capacityOf(cells, list)
  for (let i = lengthOf(cells, list) - 1; i >= 0; i--) {
    if (cells[hashes + i] === hash && cells[times + i]! <= tMs) return cells[times + i]!
  }
  return Number.NEGATIVE_INFINITY
}

function makeRoom(values: DistinctList, state: EntityState, settled: number): void {
  const { list, bound } = values
  if (capacityOf(state.cells, list) === 0) {
    reserve(state, list, FIRST_CAPACITY)
    return
  }
  compactValues(values, state.cells, settled)
  if (lengthOf(state.cells, list) >= bound) shrink(values, state.cells)
  if (lengthOf(state.cells, list) >= capacityOf(state.cells, list) * 0.75) grow(state, list)
}

/** Drops what no read to come can count: superseded before the settlement point, or older than the largest window. */
export function compactValues({ list, windows }: DistinctList, cells: Float64Array, settled: number): void {
  const largest = windows[windows.length - 1]
  const oldest =
    largest === undefined
      ? Number.NEGATIVE_INFINITY
      : Math.floor((settled - largest.sizeMs) / largest.hopMs) * largest.hopMs
  keepIf(list, cells, (_hash, time, next) => time > oldest && next > settled)
}

/** First go older repetitions, which only late records could miss; then, if there are too many values, older ones are thinned. */
function shrink({ list, bound }: DistinctList, cells: Float64Array): void {
  const exactFrom = lengthOf(cells, list) - Math.floor(bound / 8)
  keepIf(list, cells, (_hash, _time, next, i) => i >= exactFrom || next === Number.POSITIVE_INFINITY)
  if (lengthOf(cells, list) > bound * 0.875) thin(list, cells, bound * 0.75)
}

/** Doubles what each entry of the older half stands for, and halves their number by their hashes, until few are left. */
function thin(list: ListShape, cells: Float64Array, most: number): void {
  const levels = blocksAt(cells, list) + 3 * capacityOf(cells, list)
  while (lengthOf(cells, list) > most) {
    const half = Math.ceil(lengthOf(cells, list) / 2)
    let lowest = MAX_LEVEL
    for (let i = 0; i < half; i++) lowest = Math.min(lowest, cells[levels + i]!)
    keepIf(list, cells, (hash, _time, _next, i) => {
      // Only the least thinned: otherwise the oldest would be thinned at every turn, until none stood for them.
      if (i >= half || cells[levels + i]! > lowest) return true
      const level = cells[levels + i]! + 1
      cells[levels + i] = level
      return level <= MAX_LEVEL && hash % 2 ** level === 0
    })
  }
}

function keepIf(
  list: ListShape,
  cells: Float64Array,
  keep: (hash: number, time: number, next: number, i: number) => boolean,
): void {
  const capacity = capacityOf(cells, list)
  const hashes = blocksAt(cells, list)
  const times = hashes + capacity
  const nexts = times + capacity
  const levels = nexts + capacity
  let kept = 0
  for (let i = 0; i < lengthOf(cells, list); i++) {
    if (!keep(cells[hashes + i]!, cells[times + i]!, cells[nexts + i]!, i)) continue
    cells[hashes + kept] = cells[hashes + i]!
    cells[times + kept] = cells[times + i]!
    cells[nexts + kept] = cells[nexts + i]!
    cells[levels + kept] = cells[levels + i]!
    kept++
  }
  setLength(cells, list, kept)
}
