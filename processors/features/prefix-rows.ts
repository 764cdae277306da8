import { addSquareToPair, addToPair } from './double-double.ts'
import {
  blocksAt,
  capacityOf,
  type EntityState,
  grow,
  type ListShape,
  lengthOf,
  reserve,
  setLength,
  startOf,
} from './entity-cells.ts'
import { exp2 } from './exp2.ts'
import { Op, type RowLayout } from './row-layout.ts'

/** Late records older than this many newer rows see whole seconds only, so that a very busy entity stays bounded. */
export const EXACT_ROWS = 256
/** The grid of settlement and of late records behind EXACT_ROWS. Divides every hop. */
export const GRID_MS = 1_000
/** Decay weights are rescaled beyond 2^MAX_EXPONENT. */
const MAX_EXPONENT = 512
const FIRST_CAPACITY = 4

/** What one event brings, filled by the entity plan before each add. */
export interface EventInputs {
  readonly numbers: Float64Array
  readonly accepted: Uint8Array
}

/**
 * The events of one entity and kind as rows in time order, with running totals: a window's count is the difference of
 * two rows, found by binary search, so its cost does not grow with the window; a late record reads an earlier row; and
 * rows that no window edge can separate any more are dropped without changing any remaining number. So neither the
 * time at which rows are dropped nor the cut into batches can show in a result.
 *
 * The first row is always a base: totals before everything that a window may still want to know.
 *
 * In the entity's cells (see entity-cells.ts) lie, per half-life, the landmark of its weights in units of the half-life;
 * then the times of all rows; then the rows.
 */
function startRows(layout: RowLayout, state: EntityState): void {
  const { list } = layout
  reserve(state, list, FIRST_CAPACITY)
  const { cells } = state
  setLength(cells, list, 1)
  cells.fill(Number.NaN, startOf(cells, list), blocksAt(cells, list))
  cells[timesAt(cells, list)] = Number.NEGATIVE_INFINITY
  cells.set(layout.base, rowsAt(cells, list))
}

/** The cell of the first row's time. */
export function timesAt(cells: Float64Array, list: ListShape): number {
  return blocksAt(cells, list)
}

/** The first cell of the first row. */
export function rowsAt(cells: Float64Array, list: ListShape): number {
  return blocksAt(cells, list) + capacityOf(cells, list)
}

/** The settlement point: no record to come is older, so rows up to here are only cut by lower window edges. */
export function settledMs(watermarkMs: number, graceMs: number): number {
  return Math.floor((watermarkMs - graceMs) / GRID_MS) * GRID_MS
}

/** The index of the last row with time ≤ tMs in [0, high]; 0, the base, when none is. O(log rows). */
export function lastRowAt(cells: Float64Array, times: number, tMs: number, high: number): number {
  if (cells[times + high]! <= tMs) return high
  let low = 0
  let top = high
  while (low < top) {
    const middle = (low + top + 1) >>> 1
    if (cells[times + middle]! <= tMs) low = middle
    else top = middle - 1
  }
  return low
}

/** The row that a record at tMs reads up to. */
export function readRowAt(cells: Float64Array, list: ListShape, tMs: number, settled: number): number {
  const times = timesAt(cells, list)
  const newest = lengthOf(cells, list) - 1
  if (cells[times + newest]! <= tMs) return newest
  const row = lastRowAt(cells, times, Math.max(tMs, settled), newest)
  if (newest - row < EXACT_ROWS) return row
  return lastRowAt(cells, times, Math.max(Math.floor(tMs / GRID_MS) * GRID_MS, settled), row)
}

/**
 * Takes in one event. In order: amortised O(1). Out of order: O(rows newer than it).
 * `settled` as by `settledMs`; it decides only what may be dropped.
 */
export function addEvent(
  layout: RowLayout,
  state: EntityState,
  tMs: number,
  inputs: EventInputs,
  settled: number,
): void {
  const { list } = layout
  if (startOf(state.cells, list) === 0) startRows(layout, state)
  let { cells } = state
  if (list.fixed > 0) prepareLandmarks(layout, cells, tMs)
  let times = timesAt(cells, list)
  const length = lengthOf(cells, list)
  let row = length - 1
  if (cells[times + row]! > tMs) row = lastRowAt(cells, times, tMs, row)
  if (cells[times + row]! < tMs && length === capacityOf(cells, list)) {
    makeRoom(layout, state, settled)
    cells = state.cells
    times = timesAt(cells, list)
    row = lastRowAt(cells, times, tMs, lengthOf(cells, list) - 1)
  }
  // An event before the base is before every window's edge: it only adds to the totals that all rows share.
  if (cells[times + row]! < tMs) row = insertRow(layout, cells, row, tMs)
  applyEvent(layout, cells, row, tMs, inputs)
}

function insertRow(layout: RowLayout, cells: Float64Array, before: number, tMs: number): number {
  const { list, width } = layout
  const times = timesAt(cells, list)
  const length = lengthOf(cells, list)
  const row = before + 1
  const at = rowsAt(cells, list) + row * width
  if (row < length) {
    cells.copyWithin(times + row + 1, times + row, times + length)
    cells.copyWithin(at + width, at, at + (length - row) * width)
  }
  cells[times + row] = tMs
  for (let column = 0; column < width; column++) cells[at + column] = cells[at - width + column]!
  const own = layout.ownColumns
  for (let i = 0; i < own.length; i++) cells[at + own[i]!] = layout.base[own[i]!]!
  setLength(cells, list, length + 1)
  return row
}

function applyEvent(layout: RowLayout, cells: Float64Array, row: number, tMs: number, inputs: EventInputs): void {
  const { ops, width, list } = layout
  const { numbers, accepted } = inputs
  const rows = rowsAt(cells, list)
  const from = rows + row * width
  const end = rows + lengthOf(cells, list) * width
  for (let op = 0; op < ops.length; op += 4) {
    const filter = ops[op + 3]!
    if (filter >= 0 && accepted[filter] === 0) continue
    const column = ops[op + 1]!
    const x = numbers[ops[op + 2]!]!
    switch (ops[op]) {
      case Op.Count:
        for (let at = from + column; at < end; at += width) cells[at]! += 1
        break
      case Op.Present:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += width) cells[at]! += 1
        break
      case Op.True:
        if (!Number.isNaN(x) && x !== 0) for (let at = from + column; at < end; at += width) cells[at]! += 1
        break
      case Op.Sum:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += width) addToPair(cells, at, x)
        break
      case Op.Squares:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += width) addSquareToPair(cells, at, x)
        break
      case Op.Min:
        if (x < cells[from + column]!) cells[from + column] = x
        break
      case Op.Max:
        if (x > cells[from + column]!) cells[from + column] = x
        break
      case Op.Since:
        carry(cells, from + column, 0, end, width, tMs, 0, 0)
        break
      case Op.Last:
        if (!Number.isNaN(x)) carry(cells, from + column, 1, end, width, tMs, x, 0)
        break
      case Op.Point: {
        const y = numbers[ops[op + 2]! + 1]!
        if (!Number.isNaN(x) && !Number.isNaN(y)) carry(cells, from + column, 2, end, width, tMs, x, y)
        break
      }
      case Op.Decay: {
        const weight = decayWeight(layout, cells, ops[op + 2]!, tMs)
        for (let at = from + column; at < end; at += width) cells[at]! += weight
        break
      }
    }
  }
  if (layout.decayed.length > 0) applyDecayed(layout, cells, from, end, tMs, inputs)
}

/** Writes a newest value into its row and into those after it that have no newer one. Its time is the last of its columns. */
function carry(
  cells: Float64Array,
  from: number,
  timeColumn: number,
  end: number,
  width: number,
  tMs: number,
  x: number,
  y: number,
): void {
  for (let at = from; at < end && !(cells[at + timeColumn]! > tMs); at += width) {
    if (timeColumn > 0) cells[at] = x
    if (timeColumn > 1) cells[at + 1] = y
    cells[at + timeColumn] = tMs
  }
}

function applyDecayed(
  layout: RowLayout,
  cells: Float64Array,
  from: number,
  end: number,
  tMs: number,
  inputs: EventInputs,
): void {
  const { width } = layout
  let halfLife = -1
  let weight = 0
  for (const term of layout.decayed) {
    const x = inputs.numbers[term.input]!
    if (Number.isNaN(x) || (term.filter >= 0 && inputs.accepted[term.filter] === 0)) continue
    if (term.adds === 'true' && x === 0) continue
    if (term.halfLife !== halfLife) {
      halfLife = term.halfLife
      weight = decayWeight(layout, cells, halfLife, tMs)
    }
    const added = term.adds === 'value' ? weight * x : weight
    for (let at = from + term.column; at < end; at += width) cells[at]! += added
  }
}

/** 2^(t / half-life), relative to the list's landmark. */
export function decayWeight(layout: RowLayout, cells: Float64Array, halfLife: number, tMs: number): number {
  const halfLifeMs = layout.halfLivesMs[halfLife]!
  return exp2((tMs - cells[startOf(cells, layout.list) + halfLife]! * halfLifeMs) / halfLifeMs)
}

/**
 * Sets landmarks at the first event, and moves them on, by an exact power of two, before weights overflow. What is more
 * than 1,000 half-lives older than the newest event may then vanish.
 */
function prepareLandmarks(layout: RowLayout, cells: Float64Array, tMs: number): void {
  const { halfLivesMs, list, width } = layout
  const landmarks = startOf(cells, list)
  for (let halfLife = 0; halfLife < halfLivesMs.length; halfLife++) {
    const at = landmarks + halfLife
    const units = Math.floor(tMs / halfLivesMs[halfLife]!)
    if (Number.isNaN(cells[at]!)) cells[at] = units
    const shift = units - cells[at]!
    if (shift <= MAX_EXPONENT) continue
    cells[at] = units
    const scale = exp2(-Math.min(shift, 1_100))
    const rows = rowsAt(cells, list)
    for (const column of decayColumns(layout, halfLife)) {
      for (let row = 0; row < lengthOf(cells, list); row++) cells[rows + row * width + column]! *= scale
    }
  }
}

function decayColumns(layout: RowLayout, halfLife: number): number[] {
  const columns = layout.decayed.filter((term) => term.halfLife === halfLife).map((term) => term.column)
  const { ops } = layout
  for (let op = 0; op < ops.length; op += 4) {
    if (ops[op] === Op.Decay && ops[op + 2] === halfLife) columns.push(ops[op + 1]!)
  }
  return columns
}

/** Drops what nothing can ask for any more, and grows if that gives too little. */
function makeRoom(layout: RowLayout, state: EntityState, settled: number): void {
  compactRows(layout, state.cells, settled)
  if (lengthOf(state.cells, layout.list) >= capacityOf(state.cells, layout.list) * 0.75) grow(state, layout.list)
}

/**
 * Drops every row that no possible read can end at, keeping the bits of all others: the same rows remain whenever and
 * however often it runs. O(rows · windows).
 */
export function compactRows(layout: RowLayout, cells: Float64Array, settled: number): void {
  const { list, width } = layout
  const times = timesAt(cells, list)
  const rows = rowsAt(cells, list)
  const length = lengthOf(cells, list)
  const exactFrom = length - EXACT_ROWS
  let kept = 0
  for (let row = 0; row < length; row++) {
    const at = rows + row * width
    if (
      row < length - 1 &&
      !separable(layout, cells[times + row]!, cells[times + row + 1]!, settled, row >= exactFrom)
    ) {
      const own = layout.ownColumns
      for (let i = 0; i < own.length; i++) foldOwn(layout, cells, at, own[i]!)
      continue
    }
    if (kept !== row) {
      cells[times + kept] = cells[times + row]!
      const to = rows + kept * width
      for (let column = 0; column < width; column++) cells[to + column] = cells[at + column]!
    }
    kept++
  }
  setLength(cells, list, kept)
}

/** Into the next row goes what a dropped row holds of its own: its minimum or maximum. */
function foldOwn(layout: RowLayout, cells: Float64Array, at: number, column: number): void {
  const mine = cells[at + column]!
  const next = at + layout.width + column
  const isMin = layout.base[column]! > 0
  if (isMin ? mine < cells[next]! : mine > cells[next]!) cells[next] = mine
}

/** Whether some read to come has an edge in [earlierMs, laterMs), the times of neighbouring rows. */
function separable(layout: RowLayout, earlierMs: number, laterMs: number, settled: number, exact: boolean): boolean {
  if (laterMs > settled) return exact || (Math.ceil(laterMs / GRID_MS) - 1) * GRID_MS >= earlierMs
  for (let i = layout.sizesMs.length - 1; i >= 0; i--) {
    const hopMs = layout.hopsMs[i]!
    const edgeMs = (Math.ceil(laterMs / hopMs) - 1) * hopMs
    if (edgeMs >= earlierMs && edgeMs >= Math.floor((settled - layout.sizesMs[i]!) / hopMs) * hopMs) return true
  }
  return false
}
