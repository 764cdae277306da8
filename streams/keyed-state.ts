import type { KeyedTable } from '../processors/step.ts'
import { VectorPool } from '../processors/vector-pool.ts'
import type { StatePut, TaskState } from './state/state-store.ts'

/** What storing a key costs besides its value, as bytes. */
const PUT_BYTES = 512
/** How many encoded states the average of their size stands for, about; the first ones alike. */
const AVERAGED = 256

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
 * Two generations stand for recency: a key used again moves to the young one, and while the two take too much, the old one
 * is let go, state by state. What of it is not stored yet stays, encoded, until it is. So memory is bounded by the two
 * generations and by the encoded states that have changed since the last flush.
 *
 * What a flush writes is fixed by `freeze` and may be taken in parts while folding goes on: a frozen state that is about
 * to change is copied or encoded first, as it was.
 */
export class KeyedState<S> {
  readonly #table: KeyedTable<S>
  readonly #name: string
  readonly #store: TaskState | null
  readonly #maxBytes: () => number
  #young = new Map<string, S>()
  #old = new Map<string, S>()
  /** The old generation, from the state not used for longest on. */
  #oldest: Iterator<[string, S]> = this.#old.entries()
  #youngBytes = 0
  #oldBytes = 0
  /** Uses of states, which grow, since the young generation was weighed. */
  #usesSinceWeighed = 0
  /** States let go before they were stored. */
  readonly #packed = new Map<string, StatePut>()
  readonly #packedBytes = new VectorPool()
  /** Of an encoded state, the average of the last ones. */
  #encodedBytes = 0
  #encodedKeys = 0
  #changed = new Set<string>()
  readonly #forgotten = new Set<string>()
  /** Keys made since the last freeze: forgetting one of these needs no delete. */
  readonly #unstored = new Set<string>()
  /** Changed keys of the flush under way whose states are still as they were frozen, and not taken yet. */
  #frozen = new Set<string>()
  /** Frozen states that had to be encoded before their turn. */
  #early: StatePut[] = []
  /** Frozen states that have changed since, as they were. */
  readonly #copies = new Map<string, S>()
  /** Keys that were taken: the store may know them as they were before until the flush ends. */
  readonly #taken = new Set<string>()
  /** Keys that the flush under way deletes: the store may still know them until it ends. */
  readonly #leaving = new Set<string>()
  #leavingTaken = false
  /** True while no key exists in the store alone, so that a missing key needs no look-up there. */
  #whole: boolean
  #sweptMs = Number.NEGATIVE_INFINITY

  /**
   * @param store null: nothing is stored, all state stays in memory (a replay that nobody resumes). @param maxBytes that
   * both generations may take in memory at present, about.
   */
  constructor(
    table: KeyedTable<S>,
    name: string,
    store: TaskState | null,
    maxBytes: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.#table = table
    this.#name = name
    this.#store = store
    this.#maxBytes = maxBytes
    this.#whole = store === null || store.positions.size === 0
  }

  /** Lets go of states not used for long while all of them take too much. Before `load`: states are then there for the batch. */
  makeRoom(): void {
    if (this.#store === null) return
    if (this.#usesSinceWeighed >= this.#young.size) this.#weigh()
    const maxBytes = this.#maxBytes()
    while (this.bytes > maxBytes) {
      const next = this.#oldest.next()
      if (!next.done) this.#letGo(...next.value)
      else if (this.#youngBytes < maxBytes / 2) return
      else this.#age()
    }
  }

  /** Brings the states of these keys into memory, in one round trip. */
  async load(keys: Iterable<string>): Promise<void> {
    if (this.isResident || this.#store === null) return
    const missing: string[] = []
    for (const key of new Set(keys)) {
      if (this.#young.has(key) || this.#old.has(key)) continue
      const packed = this.#packed.get(key)
      if (packed !== undefined) this.#unpack(packed)
      else if (!this.#forgotten.has(key) && !this.#leaving.has(key)) missing.push(key)
    }
    if (missing.length === 0 || this.#whole) return
    const values = await this.#store.load(this.#name, missing)
    missing.forEach((key, i) => {
      const value = values[i]
      if (value !== undefined) this.#enter(key, this.#table.decode(value, key))
    })
  }

  /** True when `load` may be left out: everything that exists is in memory, and decoded. */
  get isResident(): boolean {
    return this.#whole && this.#packed.size === 0
  }

  /** These states give way to others: `KeyedTable.isSeldomSoonAgain`. */
  get givesWay(): boolean {
    return this.#table.isSeldomSoonAgain === true
  }

  /** The key's state, a fresh one where there is none; counted as changed. */
  use(key: string): S {
    if (this.#frozen.size > 0) this.#keep(key)
    this.#usesSinceWeighed++
    let state = this.#young.get(key)
    if (state === undefined) {
      if (this.#old.size > 0) {
        state = this.#old.get(key)
        if (state !== undefined) this.#removeOld(key, state)
      }
      if (state === undefined) {
        state = this.#table.create(key)
        if (this.#store !== null && !this.#forgotten.delete(key)) this.#unstored.add(key)
      }
      this.#enter(key, state)
    }
    if (this.#store !== null) this.#changed.add(key)
    return state
  }

  /** The key's state where it is in memory and decoded. */
  peek(key: string): S | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  forget(key: string): void {
    if (this.#frozen.size > 0) this.#keep(key)
    const old = this.#old.get(key)
    if (old !== undefined) this.#removeOld(key, old)
    this.#young.delete(key)
    this.#changed.delete(key)
    if (this.#store !== null && !this.#unstored.delete(key)) this.#forgotten.add(key)
  }

  /** Keys to be stored, those of the flush under way among them. */
  get changes(): number {
    return this.#changed.size + this.#forgotten.size + this.#frozen.size + this.#early.length + this.#copies.size
  }

  /** About what the states in memory take, bytes; those that are let go and not stored yet apart. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  /** About what storing them costs. */
  get changedBytes(): number {
    return this.changes * (PUT_BYTES + this.#encodedBytes)
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
    const add = (put: StatePut): void => {
      puts.push(put)
      this.#taken.add(put.key)
      bytes += sizeOf(put)
    }
    for (const [key, state] of this.#copies) {
      if (bytes >= maxBytes) break
      this.#copies.delete(key)
      add(this.#put(key, state))
    }
    for (const key of this.#frozen) {
      if (bytes >= maxBytes) break
      this.#frozen.delete(key)
      add(this.#packed.get(key) ?? this.#put(key, this.peek(key)!))
    }
    const deletes = this.#leavingTaken ? [] : [...this.#leaving].map((key) => ({ table: this.#name, key }))
    this.#leavingTaken = true
    return { puts, deletes, bytes }
  }

  /** Lets go of states that mean the same as none at this watermark, and of packed ones, now stored. Call right after a flush. */
  trim(watermarkMs: number): void {
    this.#leaving.clear()
    this.#taken.clear()
    for (const key of this.#packed.keys()) {
      if (this.#changed.has(key)) continue
      this.#packed.delete(key)
      this.#whole = false
    }
    if (watermarkMs - this.#sweptMs >= SWEEP_EVERY_MS || this.#sweptMs === Number.NEGATIVE_INFINITY)
      this.#sweep(watermarkMs)
  }

  /** Of the old generation. */
  #letGo(key: string, state: S): void {
    this.#removeOld(key, state)
    if (this.#changed.has(key) || this.#frozen.has(key) || this.#taken.has(key)) {
      const put = this.#put(key, state)
      this.#packed.set(key, { ...put, value: this.#packedBytes.bytesOf(put.value) })
    } else this.#whole = false
  }

  #age(): void {
    this.#old = this.#young
    this.#oldBytes = this.#youngBytes
    this.#oldest = this.#old.entries()
    this.#young = new Map()
    this.#youngBytes = 0
  }

  #unpack(put: StatePut): void {
    const { key } = put
    this.#packed.delete(key)
    if (this.#frozen.delete(key)) {
      this.#early.push(put)
      this.#taken.add(key)
    }
    this.#enter(key, this.#table.decode(put.value, key))
  }

  #enter(key: string, state: S): void {
    this.#young.set(key, state)
    this.#youngBytes += this.#table.bytes(state)
  }

  #removeOld(key: string, state: S): void {
    this.#old.delete(key)
    this.#oldBytes -= this.#table.bytes(state)
  }

  /** Anew: states grow. */
  #weigh(): void {
    this.#usesSinceWeighed = 0
    this.#youngBytes = 0
    for (const state of this.#young.values()) this.#youngBytes += this.#table.bytes(state)
  }

  /** A frozen state is about to change: what it was is kept aside. */
  #keep(key: string): void {
    if (!this.#frozen.delete(key)) return
    const state = this.peek(key)!
    this.#taken.add(key)
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
    this.#encodedKeys = Math.min(this.#encodedKeys + 1, AVERAGED)
    this.#encodedBytes += (put.value.byteLength - this.#encodedBytes) / this.#encodedKeys
    if (this.#store?.publishesFeatures !== true || this.#table.describe === undefined) return put
    return { ...put, features: this.#table.describe(state, key) }
  }

  #sweep(watermarkMs: number): void {
    this.#sweptMs = watermarkMs
    const isExpired = (key: string, state: S): boolean => {
      const expiresAtMs = this.#changed.has(key) ? null : this.#table.expiresAtMs(state)
      return expiresAtMs !== null && expiresAtMs < watermarkMs
    }
    for (const [key, state] of this.#young) if (isExpired(key, state)) this.#young.delete(key)
    for (const [key, state] of this.#old) if (isExpired(key, state)) this.#removeOld(key, state)
    this.#weigh()
  }
}

function sizeOf(put: StatePut): number {
  return PUT_BYTES + put.value.byteLength
}
