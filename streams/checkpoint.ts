import type { EventLog, Position } from './event-log/event-log.ts'
import type { KeyedState } from './keyed-state.ts'
import type { StateChanges, StatePart, StatePut, TaskState } from './state/state-store.ts'

/** No bound: all of a checkpoint in one part. */
export const ALL_BYTES = Number.POSITIVE_INFINITY
/** Records of a stage's topic dropped in one part, where the log deletes record by record: about a millisecond on SQLite. */
export const DROPPED_RECORDS = 1_000n

export interface CheckpointTable {
  readonly keyed: KeyedState<unknown>
  /** The stage's watermark when a part is written, event time in ms. */
  watermarkMs(): number
}

/**
 * A task's state as of one commit, on its way into the state store while folding goes on.
 *
 *   freeze the changed keys, with pages and positions → encode and stage them, part by part → one flush makes all of it
 *   visible and durable → drop, part by part, what the stages have read of their topics
 *
 * Until that flush the store holds the checkpoint before, whole; a crash in between costs only what was written ahead.
 */
export class Checkpoint {
  readonly #store: TaskState | null
  readonly #log: EventLog
  readonly #tables: readonly CheckpointTable[]
  readonly #pages: StateChanges
  readonly #drops: Position[]
  readonly #dropRecords: bigint | null
  #pagesTaken = 0
  #isDurable = false
  #isTrimmed = false

  /**
   * Freezes the tables' changes. `pages`: what else belongs to the same commit, encoded already. `drops`: up to where
   * topics need not be kept once the checkpoint is durable. `dropRecords`: how many of them go in one part; null: all that a
   * topic has.
   */
  constructor(
    store: TaskState | null,
    log: EventLog,
    tables: readonly CheckpointTable[],
    pages: StateChanges,
    drops: readonly Position[],
    dropRecords: bigint | null,
  ) {
    this.#store = store
    this.#log = log
    this.#tables = tables
    this.#pages = pages
    this.#drops = [...drops]
    this.#dropRecords = dropRecords
    for (const { keyed } of tables) keyed.freeze()
  }

  /** Goes on by about `maxBytes` of state. Returns whether there is more to do. */
  async advance(maxBytes: number): Promise<boolean> {
    if (!this.#isDurable) {
      await this.#write(maxBytes)
      return true
    }
    this.#trim()
    if (maxBytes === ALL_BYTES) while (this.#drops.length > 0) await this.#drop(null)
    else await this.#drop(this.#dropRecords)
    return this.#drops.length > 0
  }

  /** With the beginning of a part, never its end: then a batch may be on its way, with its states in memory. */
  #trim(): void {
    if (this.#isTrimmed) return
    this.#isTrimmed = true
    for (const { keyed, watermarkMs } of this.#tables) keyed.trim(watermarkMs())
  }

  async #write(maxBytes: number): Promise<void> {
    const part = this.#takePart(maxBytes)
    if (this.#store !== null) {
      if (part.puts.length + part.deletes.length > 0 && maxBytes !== ALL_BYTES) return this.#store.stage(part)
      await this.#store.flush({ ...part, positions: this.#pages.positions })
    }
    this.#isDurable = true
  }

  #takePart(maxBytes: number): StatePart {
    const { watermarkMs } = this.#pages
    const puts: StatePut[] = []
    const deletes = this.#pagesTaken === 0 ? [...this.#pages.deletes] : []
    let bytes = 0
    while (bytes < maxBytes && this.#pagesTaken < this.#pages.puts.length) {
      const put = this.#pages.puts[this.#pagesTaken++]!
      puts.push(put)
      bytes += put.value.byteLength
    }
    for (const { keyed } of this.#tables) {
      if (bytes >= maxBytes) break
      const taken = keyed.takeFrozen(maxBytes - bytes)
      for (const put of taken.puts) puts.push(put)
      for (const key of taken.deletes) deletes.push(key)
      bytes += taken.bytes
    }
    return { puts, deletes, watermarkMs }
  }

  /** Of the first topic that has something left. */
  async #drop(maxRecords: bigint | null): Promise<void> {
    const [drop] = this.#drops
    if (drop === undefined) return
    const { topic, partition, next } = drop
    let until = next
    if (maxRecords !== null) {
      const { start } = await this.#log.bounds(topic, partition)
      if (start + maxRecords < next) until = start + maxRecords
    }
    await this.#log.truncate(topic, partition, until)
    if (until === next) this.#drops.shift()
  }
}
