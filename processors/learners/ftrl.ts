import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import type { Resident } from '../step.ts'
import { encodeDelta, readDelta } from './ftrl-delta.ts'
import { type FtrlConstants, type FtrlKernel, weightOf } from './ftrl-kernel.ts'
import { createKernel } from './ftrl-simd.ts'

/** FTRL-Proximal's settings, in the paper's letters. */
export interface FtrlSettings {
  /** The table has 2^bits slots of 16 bytes. 1 to 26. */
  readonly bits: number
  /** Learning rate α. */
  readonly alpha: number
  /** β: how many observations' worth of caution a new slot starts with. Default 1. */
  readonly beta?: number
  /** λ1: a weight stays exactly 0 until |z| exceeds it. Default 1. */
  readonly lambda1?: number
  /** λ2: shrinks every weight. Default 1. */
  readonly lambda2?: number
  /**
   * γ in (0, 1]: at each observation of a slot, its z and √n are first multiplied by γ, so that a slot remembers about
   * its last 1 / (1 - γ) observations and its learning rate does not die out. Default 1: nothing is forgotten.
   */
  readonly retain?: number
}

const PAGE_BITS = 8
const PAGE_SLOTS = 2 ** PAGE_BITS
const SETTINGS_PAGE = 'settings'
const PENDING_PAGE = 'pending'

/**
 * FTRL-Proximal logistic regression over hashed sparse features, one update per example (McMahan et al., "Ad Click
 * Prediction: a View from the Trenches", KDD 2013, algorithm 1).
 *
 * An example is `indices` (hashes; the slot is the hash modulo 2^bits) and `values` (null: all 1), `length` of them
 * valid. A slot that stands twice in an example is updated twice, in order. n starts at 0. Arithmetic and storage are
 * float32, and the result is the same with either kernel, on every machine.
 *
 * As a `Resident`, it continues from restored pages bit for bit.
 */
export class Ftrl implements Resident {
  readonly settings: Required<FtrlSettings>
  readonly slots: number
  readonly #constants: FtrlConstants
  readonly #kernel: FtrlKernel
  /** One bit per slot: changed since the last delta. */
  readonly #pending: Uint32Array
  #pendingChanged = false
  readonly #writer = new ByteWriter()
  /** One byte per page: changed since the last `changedPages`. */
  readonly #dirty: Uint8Array
  #settingsWritten = false

  constructor(settings: FtrlSettings, kernelFor: (constants: FtrlConstants) => FtrlKernel = createKernel) {
    this.settings = { beta: 1, lambda1: 1, lambda2: 1, retain: 1, ...settings }
    assertSettings(this.settings)
    this.slots = 2 ** settings.bits
    this.#constants = toConstants(this.settings)
    this.#kernel = kernelFor(this.#constants)
    this.#pending = new Uint32Array(Math.ceil(this.slots / 32))
    this.#dirty = new Uint8Array(Math.ceil(this.slots / PAGE_SLOTS))
  }

  get kernelName(): 'scalar' | 'simd' {
    return this.#kernel.name
  }

  /** Log-odds of label 1 for an example. */
  logit(indices: Uint32Array, values: Float32Array | null, length: number): number {
    return this.#kernel.logit(indices, values, length)
  }

  /**
   * Learns from one example, its gradient multiplied by `weight`. Returns the log-odds before the update. Throws a
   * RangeError, and changes nothing, where a value is not finite.
   */
  learn(indices: Uint32Array, values: Float32Array | null, length: number, label: 0 | 1, weight = 1): number {
    return this.#kernel.learn(indices, values, length, label, weight)
  }

  /** The weight of a feature as of now. */
  weight(index: number): number {
    return this.#kernel.table[(index & (this.slots - 1)) * 4 + 2]!
  }

  /** The weights changed since the last call, for `FtrlWeights.apply`. Costs a scan of slots / 32 words. */
  takeDelta(): Uint8Array {
    this.#collectChanges()
    const pending = this.#pendingSlots()
    if (pending.length > 0) {
      this.#pending.fill(0)
      this.#pendingChanged = true
    }
    return encodeDelta(pending, pending.length, (slot) => this.#kernel.table[slot * 4 + 2]!)
  }

  /** Every weight that is not 0, as a delta for a scorer that starts empty. */
  snapshot(): Uint8Array {
    const { table } = this.#kernel
    const nonzero: number[] = []
    for (let slot = 0; slot < this.slots; slot++) if (table[slot * 4 + 2] !== 0) nonzero.push(slot)
    return encodeDelta(nonzero, nonzero.length, (slot) => table[slot * 4 + 2]!)
  }

  changedPages(): readonly (readonly [page: string, value: Uint8Array])[] {
    this.#collectChanges()
    const pages: [string, Uint8Array][] = []
    if (!this.#settingsWritten) pages.push([SETTINGS_PAGE, encodeSettings(this.settings)])
    this.#settingsWritten = true
    if (this.#pendingChanged) {
      const pending = this.#pendingSlots()
      pages.push([PENDING_PAGE, encodeDelta(pending, pending.length, () => 0)])
    }
    this.#pendingChanged = false
    for (let page = 0; page < this.#dirty.length; page++) {
      if (this.#dirty[page] === 0) continue
      this.#dirty[page] = 0
      pages.push([`slots/${page}`, this.#encodePage(page)])
    }
    return pages
  }

  /** Starts again from these pages. Throws MODEL_INVALID where they were written under other settings. */
  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void {
    this.#kernel.table.fill(0)
    this.#kernel.nextEpoch()
    this.#pending.fill(0)
    this.#dirty.fill(0)
    this.#pendingChanged = false
    this.#settingsWritten = false
    for (const [page, value] of pages) {
      if (page === SETTINGS_PAGE) this.#checkSettings(value)
      else if (page === PENDING_PAGE) readDelta(value, (slot) => setBit(this.#pending, slot))
      else if (page.startsWith('slots/')) this.#decodePage(Number(page.slice(6)), value)
    }
  }

  /** Moves the kernel's list of changed slots into the pending bits and the dirty pages. */
  #collectChanges(): void {
    const { changed } = this.#kernel
    const count = this.#kernel.changedCount()
    for (let i = 0; i < count; i++) {
      const slot = changed[i]!
      setBit(this.#pending, slot)
      this.#dirty[slot >>> PAGE_BITS] = 1
    }
    if (count > 0) this.#pendingChanged = true
    this.#kernel.nextEpoch()
  }

  #pendingSlots(): number[] {
    const slots: number[] = []
    for (let word = 0; word < this.#pending.length; word++) {
      for (let rest = this.#pending[word]!; rest !== 0; rest &= rest - 1) {
        slots.push(word * 32 + 31 - Math.clz32(rest & -rest))
      }
    }
    return slots
  }

  /** page = entry* ; entry = varint(offset of the slot in the page) z:float32 n:float32, for every slot ever updated. */
  #encodePage(page: number): Uint8Array {
    const { table } = this.#kernel
    const writer = this.#writer
    const first = page * PAGE_SLOTS
    for (let slot = first; slot < Math.min(first + PAGE_SLOTS, this.slots); slot++) {
      const z = table[slot * 4]!
      const n = table[slot * 4 + 1]!
      if (z === 0 && n === 0) continue
      writer.varint(slot - first)
      writer.float32(z)
      writer.float32(n)
    }
    return writer.take()
  }

  #decodePage(page: number, bytes: Uint8Array): void {
    const { table } = this.#kernel
    const reader = new ByteReader(bytes)
    while (!reader.done) {
      const at = (page * PAGE_SLOTS + reader.varint()) * 4
      const z = reader.float32()
      const n = reader.float32()
      table[at] = z
      table[at + 1] = n
      table[at + 2] = weightOf(z, Math.fround(Math.sqrt(n)), this.#constants)
    }
  }

  #checkSettings(bytes: Uint8Array): void {
    const own = encodeSettings(this.settings)
    if (own.length === bytes.length && own.every((byte, i) => byte === bytes[i])) {
      this.#settingsWritten = true
      return
    }
    throw new RheoError('MODEL_INVALID', 'the stored FTRL model was learnt under other settings', {
      hint: 'Run with the settings the model was learnt under, or start with an empty state.',
    })
  }
}

function setBit(bits: Uint32Array, at: number): void {
  bits[at >>> 5]! |= 1 << (at & 31)
}

function toConstants(settings: Required<FtrlSettings>): FtrlConstants {
  const retain = Math.fround(settings.retain)
  return {
    bits: settings.bits,
    inverseAlpha: Math.fround(1 / settings.alpha),
    beta: Math.fround(settings.beta),
    lambda1: Math.fround(settings.lambda1),
    lambda2: Math.fround(settings.lambda2),
    retain,
    retainSquared: Math.fround(retain * retain),
  }
}

function assertSettings({ bits, alpha, beta, lambda1, lambda2, retain }: Required<FtrlSettings>): void {
  const valid =
    Number.isInteger(bits) &&
    bits >= 1 &&
    bits <= 26 &&
    alpha > 0 &&
    beta >= 0 &&
    beta + lambda2 > 0 &&
    lambda1 >= 0 &&
    lambda2 >= 0 &&
    retain > 0 &&
    retain <= 1
  if (!valid) {
    throw new RheoError('CONFIG_INVALID', 'FTRL settings out of range', {
      hint: 'bits 1 to 26, alpha > 0, beta, lambda1 and lambda2 ≥ 0 (beta or lambda2 above 0), retain in (0, 1].',
    })
  }
}

function encodeSettings({ bits, alpha, beta, lambda1, lambda2, retain }: Required<FtrlSettings>): Uint8Array {
  const writer = new ByteWriter()
  for (const value of [bits, alpha, beta, lambda1, lambda2, retain]) writer.float64(value)
  return writer.take()
}
