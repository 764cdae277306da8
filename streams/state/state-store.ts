import type { NamedNumbers } from '../../processors/step.ts'
import type { MaybePromise } from '../event-log/event-log.ts'

/**
 * The state store: a projection of the log, per task, flushed atomically with the position it stands for.
 *
 * Contract (`test/state/contract.ts`): a flush is all or nothing, positions and staged parts included; `acquire` fences the former
 * holder (its flush fails with FENCED and changes nothing); what was flushed survives a crash of the process.
 */
export interface StateStore {
  acquire(task: string): MaybePromise<TaskState>
  /** Reads one value from outside, for `rheo state get`. */
  peek(task: string, table: string, key: string): MaybePromise<Uint8Array | undefined>
  close(): MaybePromise<void>
}

export interface TaskState {
  /** Per topic, the next offset that is not yet in the stored state. Empty for a new task. */
  readonly positions: ReadonlyMap<string, bigint>
  /** Set where the store keeps the readable features of entities, too: puts should name them. */
  readonly publishesFeatures?: true
  /** One round trip; undefined where the key has no state. The order of the answer is that of `keys`. */
  load(table: string, keys: readonly string[]): MaybePromise<readonly (Uint8Array | undefined)[]>
  /** Every key of a table, in no particular order: for tables that a task holds whole (model weights, timers). */
  scan(table: string): MaybePromise<readonly (readonly [key: string, value: Uint8Array])[]>
  /**
   * Writes a part of the next flush ahead, so that no single call takes long. Parts are applied in the order of the calls,
   * before the flush's own changes, and become visible to others and durable with the flush, all or nothing; whoever
   * acquires the task meanwhile finds none of it. Until the flush, reads of the keys it names may show either state.
   */
  stage(part: StatePart): MaybePromise<void>
  /**
   * Throws STATE_UNAVAILABLE, retryable, where the store has lost what this holder wrote, and FENCED, as reads and writes do: for
   * a holder that has nothing to read or to write. Absent: nothing is lost unnoticed.
   */
  assertKept?(): MaybePromise<void>
  /** Makes these changes, and all that was staged before, visible and durable. A failed flush drops what was staged. */
  flush(changes: StateChanges): MaybePromise<void>
}

export interface StatePut {
  readonly table: string
  readonly key: string
  readonly value: Uint8Array
  /** Event time from which on the state means the same as no state, and may be dropped. null: never. */
  readonly expiresAtMs: number | null
  /** What others may read of this state, as of the put: replaces what they could read before. */
  readonly features?: NamedNumbers
}

/** Deletes are applied first, then puts. */
export interface StatePart {
  readonly puts: readonly StatePut[]
  readonly deletes: readonly { readonly table: string; readonly key: string }[]
  /** The task's watermark: state whose expiresAtMs lies before it may be dropped now. */
  readonly watermarkMs: number
}

export interface StateChanges extends StatePart {
  /** Replaces the stored positions of these topics, also in the holder's `positions`. */
  readonly positions: ReadonlyMap<string, bigint>
}
