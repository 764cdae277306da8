import { addSquareToPair, addToPair } from './double-double.ts'
import { exp2 } from './exp2.ts'
import { Op, type RowLayout, TIME } from './row-layout.ts'

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
 */
export class PrefixRows {
  cells: Float64Array
  /** How many rows. */
  length: number
  /** Per half-life, the landmark of its weights in units of the half-life; null without half-lives. */
  readonly landmarks: Float64Array | null

  constructor(cells: Float64Array, length: number, landmarks: Float64Array | null) {
    this.cells = cells
    this.length = length
    this.landmarks = landmarks
  }
}

/** A list without events. */
export function emptyRows(layout: RowLayout): PrefixRows {
  const cells = new Float64Array(FIRST_CAPACITY * layout.stride)
  cells.set(layout.base)
  const halfLives = layout.halfLivesMs.length
  return new PrefixRows(cells, 1, halfLives === 0 ? null : new Float64Array(halfLives).fill(Number.NaN))
}

/** The settlement point: no record to come is older, so rows up to here are only cut by lower window edges. */
export function settledMs(watermarkMs: number, graceMs: number): number {
  return Math.floor((watermarkMs - graceMs) / GRID_MS) * GRID_MS
}

/** The index of the last row with time ≤ tMs in [0, high]; 0, the base, when none is. O(log rows). */
export function lastRowAt(list: PrefixRows, stride: number, tMs: number, high: number): number {
  const cells = list.cells
  let low = 0
  let top = high
  while (low < top) {
    const middle = (low + top + 1) >>> 1
    if (cells[middle * stride]! <= tMs) low = middle
    else top = middle - 1
  }
  return low
}

/** The row that a record at tMs reads up to. */
export function readRowAt(list: PrefixRows, stride: number, tMs: number, settled: number): number {
  const newest = list.length - 1
  if (list.cells[newest * stride]! <= tMs) return newest
  const row = lastRowAt(list, stride, Math.max(tMs, settled), newest)
  if (newest - row < EXACT_ROWS) return row
  return lastRowAt(list, stride, Math.max(Math.floor(tMs / GRID_MS) * GRID_MS, settled), row)
}

/**
 * Takes in one event. In order: amortised O(1). Out of order: O(rows newer than it).
 * `settled` as by `settledMs`; it decides only what may be dropped.
 */
export function addEvent(layout: RowLayout, list: PrefixRows, tMs: number, inputs: EventInputs, settled: number): void {
  const stride = layout.stride
  if (list.landmarks !== null) prepareLandmarks(layout, list, tMs)
  const newest = list.length - 1
  let row = newest
  if (list.cells[newest * stride]! > tMs) row = lastRowAt(list, stride, tMs, newest)
  if (list.cells[row * stride]! < tMs && (list.length + 1) * stride > list.cells.length) {
    makeRoom(layout, list, settled)
    row = lastRowAt(list, stride, tMs, list.length - 1)
  }
  // An event before the base is before every window's edge: it only adds to the totals that all rows share.
  if (list.cells[row * stride]! < tMs) row = insertRow(layout, list, row, tMs)
  applyEvent(layout, list, row, tMs, inputs)
}

function insertRow(layout: RowLayout, list: PrefixRows, before: number, tMs: number): number {
  const { cells } = list
  const stride = layout.stride
  const at = (before + 1) * stride
  const end = list.length * stride
  if (at < end) cells.copyWithin(at + stride, at, end)
  for (let column = 1; column < stride; column++) cells[at + column] = cells[at - stride + column]!
  cells[at + TIME] = tMs
  const own = layout.ownColumns
  for (let i = 0; i < own.length; i++) cells[at + own[i]!] = layout.base[own[i]!]!
  list.length++
  return before + 1
}

function applyEvent(layout: RowLayout, list: PrefixRows, row: number, tMs: number, inputs: EventInputs): void {
  const { cells } = list
  const { ops, stride } = layout
  const { numbers, accepted } = inputs
  const from = row * stride
  const end = list.length * stride
  for (let op = 0; op < ops.length; op += 4) {
    const filter = ops[op + 3]!
    if (filter >= 0 && accepted[filter] === 0) continue
    const column = ops[op + 1]!
    const x = numbers[ops[op + 2]!]!
    switch (ops[op]) {
      case Op.Count:
        for (let at = from + column; at < end; at += stride) cells[at]! += 1
        break
      case Op.Present:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += stride) cells[at]! += 1
        break
      case Op.True:
        if (!Number.isNaN(x) && x !== 0) for (let at = from + column; at < end; at += stride) cells[at]! += 1
        break
      case Op.Sum:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += stride) addToPair(cells, at, x)
        break
      case Op.Squares:
        if (!Number.isNaN(x)) for (let at = from + column; at < end; at += stride) addSquareToPair(cells, at, x)
        break
      case Op.Min:
        if (x < cells[from + column]!) cells[from + column] = x
        break
      case Op.Max:
        if (x > cells[from + column]!) cells[from + column] = x
        break
      case Op.Since:
        carry(cells, from + column, 0, end, stride, tMs, 0, 0)
        break
      case Op.Last:
        if (!Number.isNaN(x)) carry(cells, from + column, 1, end, stride, tMs, x, 0)
        break
      case Op.Point: {
        const y = numbers[ops[op + 2]! + 1]!
        if (!Number.isNaN(x) && !Number.isNaN(y)) carry(cells, from + column, 2, end, stride, tMs, x, y)
        break
      }
      case Op.Decay: {
        const weight = decayWeight(layout, list, ops[op + 2]!, tMs)
        for (let at = from + column; at < end; at += stride) cells[at]! += weight
        break
      }
    }
  }
  if (layout.decayed.length > 0) applyDecayed(layout, list, from, tMs, inputs)
}

/** Writes a newest value into its row and into those after it that have no newer one. Its time is the last of its columns. */
function carry(
  cells: Float64Array,
  from: number,
  timeColumn: number,
  end: number,
  stride: number,
  tMs: number,
  x: number,
  y: number,
): void {
  for (let at = from; at < end && !(cells[at + timeColumn]! > tMs); at += stride) {
    if (timeColumn > 0) cells[at] = x
    if (timeColumn > 1) cells[at + 1] = y
    cells[at + timeColumn] = tMs
  }
}

function applyDecayed(layout: RowLayout, list: PrefixRows, from: number, tMs: number, inputs: EventInputs): void {
  const { cells } = list
  const stride = layout.stride
  const end = list.length * stride
  let halfLife = -1
  let weight = 0
  for (const term of layout.decayed) {
    const x = inputs.numbers[term.input]!
    if (Number.isNaN(x) || (term.filter >= 0 && inputs.accepted[term.filter] === 0)) continue
    if (term.halfLife !== halfLife) {
      halfLife = term.halfLife
      weight = decayWeight(layout, list, halfLife, tMs)
    }
    const added = term.adds === 'value' ? weight * x : term.adds === 'true' && x === 0 ? 0 : weight
    for (let at = from + term.column; at < end; at += stride) cells[at]! += added
  }
}

/** 2^(t / half-life), relative to the list's landmark. */
export function decayWeight(layout: RowLayout, list: PrefixRows, halfLife: number, tMs: number): number {
  const halfLifeMs = layout.halfLivesMs[halfLife]!
  return exp2((tMs - list.landmarks![halfLife]! * halfLifeMs) / halfLifeMs)
}

/**
 * Sets landmarks at the first event, and moves them on, by an exact power of two, before weights overflow. What is more
 * than 1,000 half-lives older than the newest event may then vanish.
 */
function prepareLandmarks(layout: RowLayout, list: PrefixRows, tMs: number): void {
  const landmarks = list.landmarks!
  for (let halfLife = 0; halfLife < landmarks.length; halfLife++) {
    const units = Math.floor(tMs / layout.halfLivesMs[halfLife]!)
    if (Number.isNaN(landmarks[halfLife]!)) landmarks[halfLife] = units
    const shift = units - landmarks[halfLife]!
    if (shift <= MAX_EXPONENT) continue
    landmarks[halfLife] = units
    const scale = exp2(-Math.min(shift, 1_100))
    for (const column of decayColumns(layout, halfLife)) {
      for (let row = 0; row < list.length; row++) list.cells[row * layout.stride + column]! *= scale
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
function makeRoom(layout: RowLayout, list: PrefixRows, settled: number): void {
  compactRows(layout, list, settled)
  const rows = list.cells.length / layout.stride
  if (list.length < rows * 0.75) return
  const grown = new Float64Array(Math.ceil(rows * 1.5) * layout.stride)
  grown.set(list.cells.subarray(0, list.length * layout.stride))
  list.cells = grown
}

/**
 * Drops every row that no possible read can end at, keeping the bits of all others: the same rows remain whenever and
 * however often it runs. O(rows · windows).
 */
export function compactRows(layout: RowLayout, list: PrefixRows, settled: number): void {
  const { cells } = list
  const stride = layout.stride
  const exactFrom = list.length - EXACT_ROWS
  let kept = 0
  for (let row = 0; row < list.length; row++) {
    const at = row * stride
    if (row < list.length - 1 && !separable(layout, cells[at]!, cells[at + stride]!, settled, row >= exactFrom)) {
      const own = layout.ownColumns
      for (let i = 0; i < own.length; i++) foldOwn(layout, cells, at, own[i]!)
      continue
    }
    if (kept !== row) cells.copyWithin(kept * stride, at, at + stride)
    kept++
  }
  list.length = kept
}

/** Into the next row goes what a dropped row holds of its own: its minimum or maximum. */
function foldOwn(layout: RowLayout, cells: Float64Array, at: number, column: number): void {
  const mine = cells[at + column]!
  const next = at + layout.stride + column
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
