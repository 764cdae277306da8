import type { Inquiry } from './inference.ts'

/**
 * What a processing step sees and says. A step is a pure fold: (state, entries) → (state changes, emissions).
 * No I/O, no clock, no randomness: time and seeds arrive in entries. Cutting the same entries into other batches
 * gives the same results.
 */

/** One unit on a stage's topic: an event, a label, a model update, a watermark. Immutable. */
export interface Entry {
  /** The event type (`payment`, `label`) or one of the run loop's own kinds, which start with `$`. */
  readonly kind: string
  /** The stage's key: an entity id. '' for entries that concern the whole partition. */
  readonly key: string
  /** Event time, milliseconds since 1970. */
  readonly eventTimeMs: number
  /** The emitting task's watermark when it emitted this; -Infinity on feedback edges, which carry none. */
  readonly watermarkMs: number
  /** The emitting task's number; FEEDBACK on feedback edges. */
  readonly channel: number
  /** The decoded event, or what the kind defines. */
  readonly body: unknown
  /** float64 [features of the scenario]: what earlier stages have computed; NaN = not computed or missing. */
  readonly features: Float64Array | null
  /** Whence it came, in processing time: steps pass it on unseen, for no result may depend on it. Absent in replays. */
  readonly origin?: Origin | null
}

/** The way of a source record so far, in processing time. */
export interface Origin {
  /** The record's timestamp, milliseconds since 1970. */
  readonly arrivedMs: number
  /** W3C trace context of the record's headers. */
  readonly traceparent: string | null
  readonly hops: readonly { readonly stage: string; readonly takenMs: number }[]
}

export const FEEDBACK = -1

/** Kinds made by the run loop. */
export const WATERMARK = '$watermark'
/**
 * How far a task with a backlog has read its sources (the entry's event time); Infinity: it has none any more. The key is
 * the number of backlogs so far.
 */
export const PROGRESS = '$progress'
export const TIMER = '$timer'

/** Where a step puts its results. The run loop adds watermark, channel and partition. */
export interface Emit {
  /** The stage's watermark as of the entry being folded, event time in ms. */
  readonly watermarkMs: number
  /** To another stage, to the partition of `key`. */
  to(stage: string, kind: string, key: string, eventTimeMs: number, body: unknown, features: Float64Array | null): void
  /** Like `to`, on an edge that goes back (labels into features): it carries no watermark. */
  feedback(stage: string, kind: string, key: string, eventTimeMs: number, body: unknown): void
  /** To every partition of a stage, without a watermark: model updates, settings. */
  broadcast(stage: string, kind: string, eventTimeMs: number, body: unknown): void
  /** To one of the scenario's output topics (its short name, e.g. `scores`). `event` is pure; it runs where the event is needed. */
  output(topic: string, key: string, eventTimeMs: number, event: () => object): void
  /** Folds an entry of kind TIMER with this key once the watermark reaches `atMs`. Several per key are kept apart by time. */
  timer(key: string, atMs: number): void
  /** Forgets the keyed state of the entry being folded. */
  forget(): void
  /** The entry is older than the grace period: to the late topic, counted. */
  late(entry: Entry): void
  /** The entry was seen before: dropped, counted. */
  duplicate(entry: Entry): void
}

/** What others may read of a state. The names are the same for all keys of a table. */
export interface NamedNumbers {
  readonly names: readonly string[]
  /** float64 [names]; NaN: no value. */
  readonly values: Float64Array
}

/** How the state of one key is made and stored. */
export interface KeyedTable<S> {
  create(key: string): S
  encode(state: S): Uint8Array
  decode(bytes: Uint8Array, key: string): S
  /** About what the state takes in memory, bytes. */
  bytes(state: S): number
  /** A copy that later changes leave alone, where that is much cheaper than `encode`. */
  copy?(state: S): S
  /** Event time from which on this state means the same as a fresh one; null: never. */
  expiresAtMs(state: S): number | null
  /** A state is seldom needed soon after it was used: in memory it gives way to those of other stages. */
  readonly isSeldomSoonAgain?: true
  /** What others may read of this state by name, in a store that shows it (`docs/state-in-redis.md`). Changes nothing. */
  describe?(state: S, key: string): NamedNumbers
}

/** State that a task holds whole (model weights, thresholds), stored in pages so that a flush writes only what changed. */
export interface Resident {
  restore(pages: readonly (readonly [page: string, value: Uint8Array])[]): void
  /** The pages changed since the last call. */
  changedPages(): readonly (readonly [page: string, value: Uint8Array])[]
}

/** One task's part of a stage. `S` is the state of one key; entries with key '' are folded with `undefined`. */
export interface Step<S = unknown> {
  readonly table: KeyedTable<S> | null
  readonly resident: Resident | null
  fold(entry: Entry, state: S | undefined, emit: Emit): void
  /** Reads what folding into these states will read, so that memory is waited for once and not state by state. Changes nothing. */
  prefetch?(states: readonly S[]): void
  /** Only a step that asks models before it folds a batch. */
  readonly inquiry?: Inquiry
}

/** How the body of one kind of entry becomes bytes. */
export interface BodyCodec {
  encode(body: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}
