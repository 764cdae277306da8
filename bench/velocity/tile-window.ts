import type { ByteReader, ByteWriter } from '../../processors/byte-buffer.ts'

/** Tiles per window. */
export const TILES = 60
const MINUTE_MS = 60_000
const NONE = -1

/**
 * One window of one key, as the velocity bench defines it: tiles of size / 60; a payment in tile i finds in the window the
 * tiles (i − 60, i], itself included. Tiles older than the newest − 64 are forgotten (1 min: − 128).
 */
export class TileWindow {
  readonly #hopMs: number
  readonly #slots: number
  readonly #tiles: Int32Array
  readonly #counts: Int32Array
  readonly #declines: Int32Array
  readonly #sums: Float64Array
  /** The newest tile, and what the window that ends with it holds. */
  #newest = NONE
  #count = 0
  #declined = 0
  #sum = 0
  /** What the last payment added finds in its window. */
  count = 0
  declined = 0
  sum = 0

  constructor(sizeMs: number) {
    this.#hopMs = sizeMs / TILES
    this.#slots = sizeMs === MINUTE_MS ? 128 : 64
    this.#tiles = new Int32Array(this.#slots).fill(NONE)
    this.#counts = new Int32Array(this.#slots)
    this.#declines = new Int32Array(this.#slots)
    this.#sums = new Float64Array(this.#slots)
  }

  add(tMs: number, amount: number, declined: number): void {
    const tile = Math.floor(tMs / this.#hopMs)
    if (tile > this.#newest) this.#advance(tile)
    const slot = tile & (this.#slots - 1)
    if (tile > this.#newest - this.#slots) {
      if (this.#tiles[slot] !== tile) {
        this.#tiles[slot] = tile
        this.#counts[slot] = 0
        this.#declines[slot] = 0
        this.#sums[slot] = 0
      }
      this.#counts[slot]!++
      this.#declines[slot]! += declined
      this.#sums[slot]! += amount
      if (tile > this.#newest - TILES) {
        this.#count++
        this.#declined += declined
        this.#sum += amount
      }
    }
    if (tile === this.#newest) {
      this.count = this.#count
      this.declined = this.#declined
      this.sum = this.#sum
    } else this.#addUp(tile)
  }

  #advance(tile: number): void {
    const from = this.#newest
    this.#newest = tile
    if (from === NONE || tile - from >= TILES) {
      this.#count = 0
      this.#declined = 0
      this.#sum = 0
      return
    }
    for (let old = from - TILES + 1; old <= tile - TILES; old++) {
      const slot = old & (this.#slots - 1)
      if (this.#tiles[slot] !== old) continue
      this.#count -= this.#counts[slot]!
      this.#declined -= this.#declines[slot]!
      this.#sum -= this.#sums[slot]!
    }
    if (this.#count === 0) this.#sum = 0
  }

  /** A late payment sees its own window. */
  #addUp(tile: number): void {
    this.count = 0
    this.declined = 0
    this.sum = 0
    for (let i = Math.max(tile - TILES, this.#newest - this.#slots) + 1; i <= tile; i++) {
      const slot = i & (this.#slots - 1)
      if (this.#tiles[slot] !== i) continue
      this.count += this.#counts[slot]!
      this.declined += this.#declines[slot]!
      this.sum += this.#sums[slot]!
    }
  }

  write(writer: ByteWriter): void {
    writer.varint(this.#newest + 1)
    writer.float64(this.#sum)
    const held: number[] = []
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#tiles[slot]! > this.#newest - this.#slots && this.#tiles[slot] !== NONE) held.push(slot)
    }
    writer.varint(held.length)
    for (const slot of held) {
      writer.varint(this.#newest - this.#tiles[slot]!)
      writer.varint(this.#counts[slot]!)
      writer.varint(this.#declines[slot]!)
      writer.float64(this.#sums[slot]!)
    }
  }

  read(reader: ByteReader): void {
    this.#newest = reader.varint() - 1
    this.#sum = reader.float64()
    for (let left = reader.varint(); left > 0; left--) {
      const tile = this.#newest - reader.varint()
      const slot = tile & (this.#slots - 1)
      this.#tiles[slot] = tile
      this.#counts[slot] = reader.varint()
      this.#declines[slot] = reader.varint()
      this.#sums[slot] = reader.float64()
      if (tile <= this.#newest - TILES) continue
      this.#count += this.#counts[slot]!
      this.#declined += this.#declines[slot]!
    }
  }
}
