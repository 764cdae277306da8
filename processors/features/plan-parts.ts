import type { EventFilter } from './declare.ts'
import type { DistinctList } from './distinct-values.ts'
import type { StateLayout } from './entity-cells.ts'
import type { SlidingWindow } from './hops.ts'
import type { RowLayout } from './row-layout.ts'
import { hashValue, numberValue } from './value-hash.ts'

/** A field of an event as a number, or as the hash of its value; NaN when missing. */
export interface FieldInput {
  readonly field: string
  readonly as: 'number' | 'hash'
}

/** Writes the inputs of one event into `out`, a hash only where the value is not the one hashed last. */
export class InputReader {
  readonly #inputs: readonly FieldInput[]
  readonly #lastValues: unknown[]
  readonly #lastHashes: Float64Array
  readonly out: Float64Array

  constructor(inputs: readonly FieldInput[]) {
    this.#inputs = inputs
    this.#lastValues = inputs.map(() => null)
    this.#lastHashes = new Float64Array(inputs.length).fill(Number.NaN)
    this.out = new Float64Array(inputs.length)
  }

  read(event: object): void {
    const inputs = this.#inputs
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!
      const value = (event as Readonly<Record<string, unknown>>)[input.field]
      if (input.as === 'number') {
        this.out[i] = numberValue(value)
        continue
      }
      if (value !== this.#lastValues[i]) {
        this.#lastValues[i] = value
        this.#lastHashes[i] = hashValue(value)
      }
      this.out[i] = this.#lastHashes[i]!
    }
  }
}

export function acceptsEvent(filter: EventFilter, event: object): boolean {
  if (filter.kind === 'function') return filter.accepts(event)
  const value = (event as Readonly<Record<string, unknown>>)[filter.field]
  return value === true || value === 1
}

/** How a feature is computed from the two ends of a window, or from the newest row. */
export type RowRead =
  | { readonly kind: 'total'; readonly slot: number; readonly window: number; readonly column: number }
  | { readonly kind: 'sum'; readonly slot: number; readonly window: number; readonly column: number }
  | {
      readonly kind: 'mean' | 'ratio'
      readonly slot: number
      readonly window: number
      readonly column: number
      readonly counted: number
    }
  | {
      readonly kind: 'variance'
      readonly slot: number
      readonly window: number
      readonly column: number
      readonly squares: number
      readonly counted: number
    }
  | { readonly kind: 'min' | 'max'; readonly slot: number; readonly window: number; readonly column: number }

/** Features from the newest row alone: decayed aggregates and what the newest earlier event said. */
export type RecentRead =
  | { readonly kind: 'decayed'; readonly slot: number; readonly column: number; readonly halfLife: number }
  | { readonly kind: 'quotient'; readonly slot: number; readonly column: number; readonly counted: number }
  | { readonly kind: 'since' | 'last'; readonly slot: number; readonly column: number }
  | { readonly kind: 'changed' | 'speed'; readonly slot: number; readonly column: number; readonly input: number }

export interface DistinctRead {
  readonly kind: 'distinct' | 'seen'
  readonly slot: number
  readonly window: number
  /** The reading event's input with the value asked for. */
  readonly input: number
}

/** One set of values kept per entity: a field, under a filter. */
export interface DistinctPart {
  readonly input: number
  readonly filter: number
  readonly list: DistinctList
  readonly reads: readonly DistinctRead[]
  /** Whether any read counts: asking for one value alone is cheaper. */
  readonly counts: boolean
}

/** What one event kind feeds. */
export interface SourcePart {
  readonly kind: string
  readonly inputs: readonly FieldInput[]
  readonly filters: readonly EventFilter[]
  readonly rows: { readonly layout: RowLayout; readonly reads: readonly RowRead[] } | null
  readonly recent: { readonly layout: RowLayout; readonly reads: readonly RecentRead[] } | null
  readonly distincts: readonly DistinctPart[]
}

/** Everything an entity plan is made of. */
export interface PlanParts {
  readonly keyField: string
  readonly sources: readonly SourcePart[]
  /** Inputs of the event that reads. */
  readonly readInputs: readonly FieldInput[]
  /** The plan's slots of the feature vector with the values of an entity without events. */
  readonly defaults: readonly (readonly [slot: number, value: number])[]
  readonly windows: readonly SlidingWindow[]
  /** Silence, in event time, after which an entity is forgotten. */
  readonly retentionMs: number
  readonly graceMs: number
  readonly state: StateLayout
}
