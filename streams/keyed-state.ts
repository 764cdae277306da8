import type { KeyedTable } from '../processors/step.ts'
import type { StatePut, TaskState } from './state/state-store.ts'

/** How many keys a task holds in memory per stage before it lets go of those not used lately. */
export const DEFAULT_CACHED_KEYS = 200_000

/** What storing a key costs besides its value, as bytes. */
const PUT_BYTES = 512

/** Event time between two looks for expired states. */
const SWEEP_EVERY_MS = 86_400_000

/** A part of what `freeze` has fixed. */
export interface FrozenPart {
  readonly puts: readonly StatePut[]
  readonly deletes: readonly { readonly table: string; readonly key: string }[]
  /** About what storing it costs. */
  readonly bytes: number
}

/**
 * The keyed state of one stage and task: decoded states in memory, in front of the state store.
 *
 * Two generations stand for recency: a key used again moves to the young one; after a flush, when the young one is
 * full, the old one is let go. So memory is bounded by two such generations and what has changed since the last flush, and
 * a let-go state is always flushed.
 *
 * What a flush writes is fixed by `freeze` and may be taken in parts while folding goes on: a frozen state that is about
 * to change is copied or encoded first, as it was.
 */
export class KeyedState<S> {
  readonly #table: KeyedTable<S>
  readonly #name: string
  readonly #store: TaskState | null
  readonly #maxKeys: number
  readonly #maxBytes: () => number
  /** Of all states encoded so far, to know about how many fit. */
  #encodedKeys = 0
  #encodedBytes = 0
  #young = new Map<string, S>()
  #old = new Map<string, S>()
  #changed = new Set<string>()
  readonly #forgotten = new Set<string>()
  /** Keys made since the last freeze: forgetting one of these needs no delete. */
  readonly #unstored = new Set<string>()
  /** Changed keys of the flush under way whose states are still as they were frozen, and not encoded yet. */
  #frozen = new Set<string>()
  /** Frozen states that had to be encoded before their turn. */
  #early: StatePut[] = []
  /** Frozen states that have changed since, as they were. */
  readonly #copies = new Map<string, S>()
  /** Keys that the flush under way deletes: the store may still know them until it ends. */
  readonly #leaving = new Set<string>()
  #leavingTaken = false
  /** True while no key exists outside memory, so that a missing key needs no look-up. */
  #whole: boolean
  #sweptMs = Number.NEGATIVE_INFINITY

  /**
   * @param store null: nothing is stored, all state stays in memory (a replay that nobody resumes). @param maxKeys of a
   * generation. @param maxBytes of a generation, as encoded, asked after each flush; decoded states take a few times as much.
   */
  constructor(
    table: KeyedTable<S>,
    name: string,
    store: TaskState | null,
    maxKeys = DEFAULT_CACHED_KEYS,
    maxBytes: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.#table = table
    this.#name = name
    this.#store = store
    this.#maxKeys = maxKeys
    this.#maxBytes = maxBytes
    this.#whole = store === null || store.positions.size === 0
  }

  /** Brings the states of these keys into memory, in one round trip. */
  async load(keys: Iterable<string>): Promise<void> {
    if (this.#whole || this.#store === null) return
    const missing: string[] = []
    for (const key of new Set(keys)) {
      if (this.#young.has(key) || this.#old.has(key)) continue
      if (!this.#forgotten.has(key) && !this.#leaving.has(key)) missing.push(key)
    }
    if (missing.length === 0) return
    const values = await this.#store.load(this.#name, missing)
    missing.forEach((key, i) => {
      const value = values[i]
      if (value !== undefined) this.#young.set(key, this.#table.decode(value, key))
    })
  }

  /** True when `load` may be skipped: everything that exists is in memory. */
  get whole(): boolean {
    return this.#whole
  }

  /** The key's state, a fresh one where there is none; counted as changed. */
  use(key: string): S {
    if (this.#frozen.size > 0) this.#keep(key)
    let state = this.#young.get(key)
    if (state === undefined) {
      if (this.#old.size > 0) {
        state = this.#old.get(key)
        this.#old.delete(key)
      }
      if (state === undefined) {
        state = this.#table.create(key)
        if (this.#store !== null && !this.#forgotten.delete(key)) this.#unstored.add(key)
      }
      this.#young.set(key, state)
    }
    if (this.#store !== null) this.#changed.add(key)
    return state
  }

  peek(key: string): S | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  forget(key: string): void {
    if (this.#frozen.size > 0) this.#keep(key)
    this.#young.delete(key)
    this.#old.delete(key)
    this.#changed.delete(key)
    if (this.#store !== null && !this.#unstored.delete(key)) this.#forgotten.add(key)
  }

  get changes(): number {
    return this.#changed.size + this.#forgotten.size
  }

  /** Fixes what the next flush writes: everything changed since the last freeze. The flush before must have ended in `trim`. */
  freeze(): void {
    if (this.#frozen.size > 0 || this.#early.length > 0 || this.#copies.size > 0)
      throw new Error('the flush before has not ended')
    const emptied = this.#frozen
    this.#frozen = this.#changed
    this.#changed = emptied
    for (const key of this.#forgotten) this.#leaving.add(key)
    this.#leavingTaken = false
    this.#forgotten.clear()
    this.#unstored.clear()
  }

  /** Frozen states until their bytes reach `maxBytes`, each once; all deletes come with the first. Empty: that was all. */
  takeFrozen(maxBytes: number): FrozenPart {
    const puts: StatePut[] = this.#early
    this.#early = []
    let bytes = puts.reduce((sum, put) => sum + sizeOf(put), 0)
    const add = (key: string, state: S): void => {
      const put = this.#put(key, state)
      puts.push(put)
      bytes += sizeOf(put)
    }
    for (const [key, state] of this.#copies) {
      if (bytes >= maxBytes) break
      this.#copies.delete(key)
      add(key, state)
    }
    for (const key of this.#frozen) {
      if (bytes >= maxBytes) break
      this.#frozen.delete(key)
      add(key, this.peek(key)!)
    }
    const deletes = this.#leavingTaken ? [] : [...this.#leaving].map((key) => ({ table: this.#name, key }))
    this.#leavingTaken = true
    return { puts, deletes, bytes }
  }

  /** Lets go of states that mean the same as none at this watermark, and of those not used lately. Call right after a flush. */
  trim(watermarkMs: number): void {
    this.#leaving.clear()
    if (watermarkMs - this.#sweptMs >= SWEEP_EVERY_MS || this.#sweptMs === Number.NEGATIVE_INFINITY)
      this.#sweep(watermarkMs)
    if (this.#store === null || !this.#isFull()) return
    if (this.#table.isSeldomSoonAgain) {
      this.#whole = false
      const changed = [...this.#changed].map((key) => [key, this.peek(key)!] as const)
      this.#old = new Map()
      this.#young = new Map(changed)
      return
    }
    if (this.#old.size > 0) this.#whole = false
    this.#old = this.#young
    this.#young = new Map()
  }

  #isFull(): boolean {
    const { size } = this.#young
    return size >= this.#maxKeys || (size * this.#encodedBytes) / Math.max(1, this.#encodedKeys) >= this.#maxBytes()
  }

  /** A frozen state is about to change: what it was is kept aside. */
  #keep(key: string): void {
    if (!this.#frozen.delete(key)) return
    const state = this.peek(key)!
    if (this.#table.copy === undefined) this.#early.push(this.#put(key, state))
    else this.#copies.set(key, this.#table.copy(state))
  }

  #put(key: string, state: S): StatePut {
    const put = {
      table: this.#name,
      key,
      value: this.#table.encode(state),
      expiresAtMs: this.#table.expiresAtMs(state),
    }
    this.#encodedKeys++
    this.#encodedBytes += put.value.byteLength
    if (this.#store?.publishesFeatures !== true || this.#table.describe === undefined) return put
    return { ...put, features: this.#table.describe(state, key) }
  }

  #sweep(watermarkMs: number): void {
    this.#sweptMs = watermarkMs
    for (const generation of [this.#young, this.#old]) {
      for (const [key, state] of generation) {
        if (this.#changed.has(key)) continue
        const expiresAtMs = this.#table.expiresAtMs(state)
        if (expiresAtMs !== null && expiresAtMs < watermarkMs) generation.delete(key)
      }
    }
  }
}

function sizeOf(put: StatePut): number {
  return PUT_BYTES + put.value.byteLength
}
