import type { ByteReader, ByteWriter } from '../../processors/byte-buffer.ts'

/** Tiles per window. */
export const TILES = 60
const MINUTE_MS = 60_000
const NONE = -1
/** Cells of a window, before its tiles: its newest tile, and what the window that ends with it holds. */
const NEWEST = 0
const COUNT = 1
const DECLINED = 2
const SUM = 3
const HEAD = 4
/** Cells of a tile: its number, then as above. */
const TILE_CELLS = 4

/**
 * The windows of one key as the velocity bench defines them: tiles of size / 60; a payment in tile i finds in a window the
 * tiles (i − 60, i], itself included. Tiles older than the newest − 64 are forgotten (1 min: − 128). All of a key's windows
 * lie in one array: what takes time is waiting for memory.
 */
export class TileWindows {
  readonly #hopsMs: readonly number[]
  readonly #slots: readonly number[]
  /** Where each window starts. */
  readonly #starts: readonly number[]
  readonly #cells: number
  /** What the last payment added finds in each window. */
  readonly counts: Float64Array
  readonly declines: Float64Array
  readonly sums: Float64Array

  constructor(sizesMs: readonly number[]) {
    this.#hopsMs = sizesMs.map((sizeMs) => sizeMs / TILES)
    this.#slots = sizesMs.map((sizeMs) => (sizeMs === MINUTE_MS ? 128 : 64))
    let cells = 0
    this.#starts = this.#slots.map((slots) => {
      cells += HEAD + slots * TILE_CELLS
      return cells - HEAD - slots * TILE_CELLS
    })
    this.#cells = cells
    this.counts = new Float64Array(sizesMs.length)
    this.declines = new Float64Array(sizesMs.length)
    this.sums = new Float64Array(sizesMs.length)
  }

  create(): Float64Array {
    const cells = new Float64Array(this.#cells)
    this.#starts.forEach((start, w) => {
      cells[start + NEWEST] = NONE
      for (let slot = 0; slot < this.#slots[w]!; slot++) cells[start + HEAD + slot * TILE_CELLS] = NONE
    })
    return cells
  }

  add(cells: Float64Array, tMs: number, amount: number, declined: number): void {
    for (let w = 0; w < this.#starts.length; w++) {
      const start = this.#starts[w]!
      const slots = this.#slots[w]!
      const tile = Math.floor(tMs / this.#hopsMs[w]!)
      if (tile > cells[start + NEWEST]!) advance(cells, start, slots, tile)
      const newest = cells[start + NEWEST]!
      if (tile > newest - slots) {
        const at = tileAt(start, slots, tile)
        if (cells[at] !== tile) {
          cells[at] = tile
          cells[at + COUNT] = 0
          cells[at + DECLINED] = 0
          cells[at + SUM] = 0
        }
        cells[at + COUNT]!++
        cells[at + DECLINED]! += declined
        cells[at + SUM]! += amount
        if (tile > newest - TILES) {
          cells[start + COUNT]!++
          cells[start + DECLINED]! += declined
          cells[start + SUM]! += amount
        }
      }
      if (tile === newest) {
        this.counts[w] = cells[start + COUNT]!
        this.declines[w] = cells[start + DECLINED]!
        this.sums[w] = cells[start + SUM]!
      } else this.#addUp(cells, w, tile)
    }
  }

  /** A late payment sees its own window. */
  #addUp(cells: Float64Array, w: number, tile: number): void {
    const start = this.#starts[w]!
    const slots = this.#slots[w]!
    let count = 0
    let declined = 0
    let sum = 0
    for (let i = Math.max(tile - TILES, cells[start + NEWEST]! - slots) + 1; i <= tile; i++) {
      const at = tileAt(start, slots, i)
      if (cells[at] !== i) continue
      count += cells[at + COUNT]!
      declined += cells[at + DECLINED]!
      sum += cells[at + SUM]!
    }
    this.counts[w] = count
    this.declines[w] = declined
    this.sums[w] = sum
  }

  write(writer: ByteWriter, cells: Float64Array): void {
    this.#starts.forEach((start, w) => {
      const slots = this.#slots[w]!
      const newest = cells[start + NEWEST]!
      writer.varint(newest + 1)
      writer.float64(cells[start + SUM]!)
      const held: number[] = []
      for (let at = start + HEAD; at < start + HEAD + slots * TILE_CELLS; at += TILE_CELLS)
        if (cells[at] !== NONE && cells[at]! > newest - slots) held.push(at)
      writer.varint(held.length)
      for (const at of held) {
        writer.varint(newest - cells[at]!)
        writer.varint(cells[at + COUNT]!)
        writer.varint(cells[at + DECLINED]!)
        writer.float64(cells[at + SUM]!)
      }
    })
  }

  read(reader: ByteReader): Float64Array {
    const cells = this.create()
    this.#starts.forEach((start, w) => {
      const newest = reader.varint() - 1
      cells[start + NEWEST] = newest
      cells[start + SUM] = reader.float64()
      for (let left = reader.varint(); left > 0; left--) {
        const tile = newest - reader.varint()
        const at = tileAt(start, this.#slots[w]!, tile)
        cells[at] = tile
        cells[at + COUNT] = reader.varint()
        cells[at + DECLINED] = reader.varint()
        cells[at + SUM] = reader.float64()
        if (tile <= newest - TILES) continue
        cells[start + COUNT]! += cells[at + COUNT]!
        cells[start + DECLINED]! += cells[at + DECLINED]!
      }
    })
    return cells
  }
}

function tileAt(start: number, slots: number, tile: number): number {
  return start + HEAD + (tile & (slots - 1)) * TILE_CELLS
}

/** Another tile is the newest: what leaves the window with it is taken off. */
function advance(cells: Float64Array, start: number, slots: number, tile: number): void {
  const from = cells[start + NEWEST]!
  cells[start + NEWEST] = tile
  if (from === NONE || tile - from >= TILES) {
    cells[start + COUNT] = 0
    cells[start + DECLINED] = 0
    cells[start + SUM] = 0
    return
  }
  for (let old = from - TILES + 1; old <= tile - TILES; old++) {
    const at = tileAt(start, slots, old)
    if (cells[at] !== old) continue
    cells[start + COUNT]! -= cells[at + COUNT]!
    cells[start + DECLINED]! -= cells[at + DECLINED]!
    cells[start + SUM]! -= cells[at + SUM]!
  }
  if (cells[start + COUNT] === 0) cells[start + SUM] = 0
}
