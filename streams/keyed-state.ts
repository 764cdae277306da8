import type { KeyedTable } from '../processors/step.ts'
import type { StatePut, TaskState } from './state/state-store.ts'

/** How many keys a task holds in memory per stage before it lets go of those not used lately. */
export const DEFAULT_CACHED_KEYS = 200_000

/** Event time between two looks for expired states. */
const SWEEP_EVERY_MS = 86_400_000

/**
 * The keyed state of one stage and task: decoded states in memory, in front of the state store.
 *
 * Two generations stand for recency: a key used again moves to the young one; after a flush, when the young one is
 * full, the old one is let go. So memory is bounded by 2 × maxKeys states, and a let-go state is always flushed.
 */
export class KeyedState<S> {
  readonly #table: KeyedTable<S>
  readonly #name: string
  readonly #store: TaskState | null
  readonly #maxKeys: number
  #young = new Map<string, S>()
  #old = new Map<string, S>()
  readonly #changed = new Set<string>()
  readonly #forgotten = new Set<string>()
  /** Keys made since the last flush: forgetting one of these needs no delete. */
  readonly #unstored = new Set<string>()
  /** True while no key exists outside memory, so that a missing key needs no look-up. */
  #whole: boolean
  #sweptMs = Number.NEGATIVE_INFINITY

  /** @param store null: nothing is stored, all state stays in memory (a replay that nobody resumes). */
  constructor(table: KeyedTable<S>, name: string, store: TaskState | null, maxKeys = DEFAULT_CACHED_KEYS) {
    this.#table = table
    this.#name = name
    this.#store = store
    this.#maxKeys = maxKeys
    this.#whole = store === null || store.positions.size === 0
  }

  /** Brings the states of these keys into memory, in one round trip. */
  async load(keys: Iterable<string>): Promise<void> {
    if (this.#whole || this.#store === null) return
    const missing: string[] = []
    for (const key of new Set(keys)) {
      if (!this.#young.has(key) && !this.#old.has(key) && !this.#forgotten.has(key)) missing.push(key)
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
    this.#young.delete(key)
    this.#old.delete(key)
    this.#changed.delete(key)
    if (this.#store !== null && !this.#unstored.delete(key)) this.#forgotten.add(key)
  }

  get changes(): number {
    return this.#changed.size + this.#forgotten.size
  }

  /** What to write since the last call. */
  takeChanges(): { puts: StatePut[]; deletes: { table: string; key: string }[] } {
    const puts: StatePut[] = []
    for (const key of this.#changed) {
      const state = this.peek(key)!
      const expiresAtMs = this.#table.expiresAtMs(state)
      puts.push({ table: this.#name, key, value: this.#table.encode(state), expiresAtMs })
    }
    const deletes = [...this.#forgotten].map((key) => ({ table: this.#name, key }))
    this.#changed.clear()
    this.#forgotten.clear()
    this.#unstored.clear()
    return { puts, deletes }
  }

  /** Lets go of states that mean the same as none at this watermark, and of those not used lately. Call right after a flush. */
  trim(watermarkMs: number): void {
    if (watermarkMs - this.#sweptMs >= SWEEP_EVERY_MS || this.#sweptMs === Number.NEGATIVE_INFINITY)
      this.#sweep(watermarkMs)
    if (this.#store === null || this.#young.size < this.#maxKeys) return
    if (this.#old.size > 0) this.#whole = false
    this.#old = this.#young
    this.#young = new Map()
  }

  #sweep(watermarkMs: number): void {
    this.#sweptMs = watermarkMs
    for (const generation of [this.#young, this.#old]) {
      for (const [key, state] of generation) {
        const expiresAtMs = this.#table.expiresAtMs(state)
        if (expiresAtMs !== null && expiresAtMs < watermarkMs) generation.delete(key)
      }
    }
  }
}
