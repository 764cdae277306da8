/** Cells of the whole entity, before the headers of its lists. */
const NEWEST_MS = 0
const WATERMARK_MS = 1
const FIRST_HEADER = 2
/** A list's header: where it starts (0: it has never been fed), how many rows it holds, and how many it has room for. */
const AT = 0
const LENGTH = 1
const CAPACITY = 2
const HEADER_CELLS = 3
const FEW_ROWS = 32
const NEARLY_FULL = 0.75
/** Room for rows to come when an entity is read back. */
const LEAST_ROOM = 2
const ROOM_DIVISOR = 8
/** Of a builder: it grows with the largest entity. */
const FIRST_CELLS = 8_192

/**
 * All that is kept about one entity, as one array: an event needs a little of every list, and what takes time is waiting
 * for memory, so everything lies together, and the columns that are searched lie by themselves.
 */
export class EntityState {
  cells: Float64Array

  constructor(cells: Float64Array) {
    this.cells = cells
  }

  /** The time of the newest event fed; -Infinity when none was. */
  get newestMs(): number {
    return this.cells[NEWEST_MS]!
  }

  set newestMs(tMs: number) {
    this.cells[NEWEST_MS] = tMs
  }

  /** The newest watermark seen; not stored. */
  get watermarkMs(): number {
    return this.cells[WATERMARK_MS]!
  }

  set watermarkMs(tMs: number) {
    this.cells[WATERMARK_MS] = tMs
  }
}

/** Where a list of rows lies: `fixed` cells of its own, then the columns in blocks, each with room for all rows. */
export interface ListShape {
  readonly header: number
  readonly fixed: number
  /** How many columns each block holds, row by row. */
  readonly blocks: readonly number[]
  /** All columns. */
  readonly width: number
  readonly state: StateLayout
}

/** Which lists the entities of a plan keep. */
export class StateLayout {
  readonly lists: ListShape[] = []

  add(fixed: number, blocks: readonly number[]): ListShape {
    const header = FIRST_HEADER + this.lists.length * HEADER_CELLS
    const width = blocks.reduce((sum, columns) => sum + columns, 0)
    const list = { header, fixed, blocks, width, state: this }
    this.lists.push(list)
    return list
  }

  create(): EntityState {
    const cells = new Float64Array(FIRST_HEADER + this.lists.length * HEADER_CELLS)
    cells[NEWEST_MS] = Number.NEGATIVE_INFINITY
    cells[WATERMARK_MS] = Number.NEGATIVE_INFINITY
    return new EntityState(cells)
  }
}

/** Where the list starts: its fixed cells; 0 when it has never been fed. */
export function startOf(cells: Float64Array, list: ListShape): number {
  return cells[list.header + AT]! | 0
}

/** Where the first block starts. */
export function blocksAt(cells: Float64Array, list: ListShape): number {
  return (cells[list.header + AT]! | 0) + list.fixed
}

export function lengthOf(cells: Float64Array, list: ListShape): number {
  return cells[list.header + LENGTH]! | 0
}

export function setLength(cells: Float64Array, list: ListShape, length: number): void {
  cells[list.header + LENGTH] = length
}

/** Rows that the list has room for. */
export function capacityOf(cells: Float64Array, list: ListShape): number {
  return cells[list.header + CAPACITY]! | 0
}

/**
 * Gives the list room for so many rows, moving the whole entity; a list that was never fed starts without rows. Lists that
 * are nearly full get more room by the way: they mostly fill together. O(cells).
 */
export function reserve(state: EntityState, list: ListShape, rows: number): void {
  const { lists } = list.state
  const old = state.cells
  const headers = FIRST_HEADER + lists.length * HEADER_CELLS
  let size = headers
  for (const each of lists) {
    const capacity = each === list ? rows : roomToKeep(old, each)
    if (capacity > 0) size += each.fixed + capacity * each.width
  }
  const cells = new Float64Array(size)
  cells[NEWEST_MS] = old[NEWEST_MS]!
  cells[WATERMARK_MS] = old[WATERMARK_MS]!
  let at = headers
  for (const each of lists) {
    const capacity = each === list ? rows : roomToKeep(old, each)
    if (capacity === 0) continue
    cells[each.header + AT] = at
    cells[each.header + LENGTH] = old[each.header + LENGTH]!
    cells[each.header + CAPACITY] = capacity
    moveList(each, old, cells)
    at += each.fixed + capacity * each.width
  }
  state.cells = cells
}

/** Lays an entity out list by list, in the order of its layout, as it is read back: each with room for some rows more. */
export class EntityBuilder {
  #cells = new Float64Array(FIRST_CELLS)
  #end = 0

  /** The entity so far. */
  get cells(): Float64Array {
    return this.#cells
  }

  begin(layout: StateLayout): void {
    this.#end = FIRST_HEADER + layout.lists.length * HEADER_CELLS
    this.#cells.fill(0, 0, this.#end)
    this.#cells[NEWEST_MS] = Number.NEGATIVE_INFINITY
    this.#cells[WATERMARK_MS] = Number.NEGATIVE_INFINITY
  }

  /** The cells so far, with a list of so many rows, which are to be filled in before the next is added. */
  add(list: ListShape, rows: number): Float64Array {
    const capacity = rows + Math.max(LEAST_ROOM, Math.ceil(rows / ROOM_DIVISOR))
    const end = this.#end + list.fixed + capacity * list.width
    if (end > this.#cells.length) {
      const larger = new Float64Array(Math.max(end, 2 * this.#cells.length))
      larger.set(this.#cells.subarray(0, this.#end))
      this.#cells = larger
    }
    const cells = this.#cells
    cells[list.header + AT] = this.#end
    cells[list.header + LENGTH] = rows
    cells[list.header + CAPACITY] = capacity
    this.#end = end
    return cells
  }

  build(): EntityState {
    return new EntityState(this.#cells.slice(0, this.#end))
  }
}

/** Makes room for more rows. */
export function grow(state: EntityState, list: ListShape): void {
  reserve(state, list, more(capacityOf(state.cells, list)))
}

function roomToKeep(cells: Float64Array, list: ListShape): number {
  const capacity = capacityOf(cells, list)
  return lengthOf(cells, list) >= capacity * NEARLY_FULL ? more(capacity) : capacity
}

/** Half as many again, while there are few twice as many. */
function more(rows: number): number {
  return rows < FEW_ROWS ? 2 * rows : Math.ceil(1.5 * rows)
}

function moveList(list: ListShape, from: Float64Array, to: Float64Array): void {
  const oldCapacity = capacityOf(from, list)
  if (oldCapacity === 0) return
  const length = lengthOf(from, list)
  let source = startOf(from, list)
  let target = startOf(to, list)
  for (let i = 0; i < list.fixed; i++) to[target + i] = from[source + i]!
  source += list.fixed
  target += list.fixed
  for (const columns of list.blocks) {
    for (let i = 0; i < length * columns; i++) to[target + i] = from[source + i]!
    source += oldCapacity * columns
    target += capacityOf(to, list) * columns
  }
}
