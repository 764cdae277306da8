import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import type { Resident } from '../step.ts'
import { readDelta } from './ftrl-delta.ts'
import { assertLength } from './ftrl-kernel.ts'
import { sparseDot } from './sparse-dot.ts'

const { fround } = Math
const PAGE_BITS = 8
const PAGE_SLOTS = 2 ** PAGE_BITS

/**
 * A scorer's copy of an FTRL model: the weights alone, kept current by deltas. Its `logit` equals, bit for bit, that of
 * the learner at the time the delta was taken.
 */
export class FtrlWeights implements Resident {
  readonly slots: number
  /** float32 [2^bits] */
  readonly weights: Float32Array
  readonly #dirty: Uint8Array
  readonly #writer = new ByteWriter()

  constructor(bits: number) {
    this.slots = 2 ** bits
    this.weights = new Float32Array(this.slots)
    this.#dirty = new Uint8Array(Math.ceil(this.slots / PAGE_SLOTS))
  }

  /** Takes over the weights of a delta or a snapshot of the learner. */
  apply(delta: Uint8Array): void {
    readDelta(delta, (slot, weight) => {
      if (slot >= this.slots) throw new RangeError(`delta names slot ${slot} of a model with ${this.slots} slots`)
      this.weights[slot] = weight
      this.#dirty[slot >>> PAGE_BITS] = 1
    })
  }

  /** Log-odds of label 1: `sparseDot` of weights and values. */
  logit(indices: Uint32Array, values: Float32Array | null, length: number): number {
    assertLength(length)
    return sparseDot(this.weights, 1, 0, this.slots - 1, indices, values, length)
  }

  /** What a feature adds to the log-odds: w·x. */
  contribution(index: number, value = 1): number {
    return fround(this.weights[index & (this.slots - 1)]! * value)
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    const pages: [string, Uint8Array][] = []
    for (let page = 0; page < this.#dirty.length; page++) {
      if (this.#dirty[page] === 0) continue
      this.#dirty[page] = 0
      pages.push([`weights/${page}`, this.#encodePage(page)])
    }
    return pages
  }

  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    this.weights.fill(0)
    this.#dirty.fill(0)
    for (const [page, value] of pages) {
      if (page.startsWith('weights/')) this.#decodePage(Number(page.slice(8)), value)
    }
  }

  /** page = entry* ; entry = varint(offset of the slot in the page) weight:float32, for every weight that is not 0. */
  #encodePage(page: number): Uint8Array {
    const writer = this.#writer
    const first = page * PAGE_SLOTS
    for (let slot = first; slot < Math.min(first + PAGE_SLOTS, this.slots); slot++) {
      const weight = this.weights[slot]!
      if (weight === 0) continue
      writer.varint(slot - first)
      writer.float32(weight)
    }
    return writer.take()
  }

  #decodePage(page: number, bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    while (!reader.done) {
      const slot = page * PAGE_SLOTS + reader.varint()
      this.weights[slot] = reader.float32()
    }
  }
}
