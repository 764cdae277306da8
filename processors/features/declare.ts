import { parseDurationMs } from '../duration.ts'

/** An event's fields by name. */
export type FeatureEvent = Readonly<Record<string, unknown>>

export type Aggregate =
  | 'count'
  | 'sum'
  | 'mean'
  | 'min'
  | 'max'
  | 'variance'
  | 'distinct'
  | 'ratio'
  | 'seen'
  | 'sinceLast'
  | 'last'
  | 'changed'
  | 'speed'

/** Which events of a kind count: all whose field is true (or 1), or all that a pure function accepts. */
export type EventFilter =
  | { readonly kind: 'field'; readonly field: string }
  | { readonly kind: 'function'; readonly name: string; readonly accepts: (event: object) => boolean }

export interface Duration {
  readonly ms: number
  /** As declared, without spaces: part of feature names. */
  readonly label: string
}

export interface EntitySpec {
  readonly kind: 'entity'
  readonly aggregate: Aggregate
  readonly fields: readonly string[]
  /** The event kind that feeds it; null: the scenario's main kind. */
  readonly of: string | null
  readonly where: EventFilter | null
  readonly by: string | null
  readonly windows: readonly Duration[]
  readonly halfLives: readonly Duration[]
  readonly name: string | null
}

export interface ValueSpec {
  readonly kind: 'value'
  readonly field: string
  readonly name: string
}

export interface ComputeSpec {
  readonly kind: 'compute'
  readonly name: string
  readonly compute: (event: object) => number
}

export interface DeriveSpec {
  readonly kind: 'derive'
  readonly name: string
  readonly inputs: readonly string[]
  readonly derive: (...inputs: number[]) => number
}

export type FeatureSpec = EntitySpec | ValueSpec | ComputeSpec | DeriveSpec

/** A declared feature, or several of one kind (one per window). Plain and immutable. */
export interface FeatureDeclaration {
  readonly spec: FeatureSpec
}

/** A feature kept per entity, still being declared. Every method returns a new declaration. */
export interface EntityFeature extends FeatureDeclaration {
  readonly spec: EntitySpec
  /** The event kind that feeds it; default: the scenario's main kind. */
  of(kind: string): EntityFeature
  /** Only events whose field is true, or for which a pure function says so; a name keeps feature names readable. */
  where(field: string): EntityFeature
  where<E extends object = FeatureEvent>(accepts: (event: E) => boolean): EntityFeature
  where<E extends object = FeatureEvent>(name: string, accepts: (event: E) => boolean): EntityFeature
  /** The field that names the entity. */
  by(keyField: string): EntityFeature
  /** Sliding windows of event time, one feature each. */
  over(...sizes: readonly string[]): EntityFeature
  /** Exponential decay in event time (count, mean and ratio), one feature each. */
  halfLife(...halfLives: readonly string[]): EntityFeature
  /** Replaces the derived name; with several windows the window is appended. */
  as(name: string): EntityFeature
}

/** How many events. Decayed: the sum of 2^(−age / half-life). */
export function count(): EntityFeature {
  return entityFeature(fresh('count', []))
}

/** The sum of a numeric field; 0 when there is none. */
export function sum(field: string): EntityFeature {
  return entityFeature(fresh('sum', [field]))
}

/** The mean of a numeric field over the events that have it; NaN when there are none. */
export function mean(field: string): EntityFeature {
  return entityFeature(fresh('mean', [field]))
}

/** NaN when there are none. The cost grows with the events and granules in the window. */
export function min(field: string): EntityFeature {
  return entityFeature(fresh('min', [field]))
}

/** NaN when there are none. The cost grows with the events and granules in the window. */
export function max(field: string): EntityFeature {
  return entityFeature(fresh('max', [field]))
}

/** The population variance of a numeric field; NaN when there are none. */
export function variance(field: string): EntityFeature {
  return entityFeature(fresh('variance', [field]))
}

/** How many different values of a field. Exact up to a bound per entity, then estimated (`distinct-values.ts`). */
export function distinct(field: string): EntityFeature {
  return entityFeature(fresh('distinct', [field]))
}

/** The share of events whose boolean (or 0/1) field is true, among those that have it; NaN when there are none. */
export function ratio(field: string): EntityFeature {
  return entityFeature(fresh('ratio', [field]))
}

/** Seconds since the newest earlier event; NaN when none is known. */
export function sinceLast(): EntityFeature {
  return entityFeature(fresh('sinceLast', []))
}

/** The value of a numeric field in the newest earlier event that has it; NaN when none is known. */
export function last(field: string): EntityFeature {
  return entityFeature(fresh('last', [field]))
}

/** 1 if the field differs from its value in the newest earlier event that has it, 0 if not; NaN when unknown. */
export function changed(field: string): EntityFeature {
  return entityFeature(fresh('changed', [field]))
}

/**
 * Kilometres per hour between the newest earlier event with coordinates and this one, along the great circle. Times
 * closer than a second count as a second. NaN when unknown.
 */
export function speed(latitudeField: string, longitudeField: string): EntityFeature {
  return entityFeature(fresh('speed', [latitudeField, longitudeField]))
}

/** 1 if this event's value of the field occurred in the window before it, 0 if not; NaN when the event has none. */
export function seen(field: string): EntityFeature {
  return entityFeature(fresh('seen', [field]))
}

/** A numeric field of the event itself. */
export function value(field: string, name: string = field): FeatureDeclaration {
  return { spec: { kind: 'value', field, name } }
}

/** A pure function of the event itself; event times are milliseconds since 1970. */
export function compute<E extends object = FeatureEvent>(name: string, fn: (event: E) => number): FeatureDeclaration {
  return { spec: { kind: 'compute', name, compute: fn as (event: object) => number } }
}

/** A pure function of other features, by name, evaluated once all entity features are known. */
export function derive(
  name: string,
  inputs: readonly string[],
  fn: (...inputs: number[]) => number,
): FeatureDeclaration {
  return { spec: { kind: 'derive', name, inputs, derive: fn } }
}

function fresh(aggregate: Aggregate, fields: readonly string[]): EntitySpec {
  return {
    kind: 'entity',
    aggregate,
    fields,
    of: null,
    where: null,
    by: null,
    windows: [],
    halfLives: [],
    name: null,
  }
}

function entityFeature(spec: EntitySpec): EntityFeature {
  return {
    spec,
    of: (kind) => entityFeature({ ...spec, of: kind }),
    where: (first: string | ((event: never) => boolean), second?: (event: never) => boolean) =>
      entityFeature({ ...spec, where: eventFilter(first, second) }),
    by: (keyField) => entityFeature({ ...spec, by: keyField }),
    over: (...sizes) => entityFeature({ ...spec, windows: [...spec.windows, ...sizes.map(duration)] }),
    halfLife: (...halfLives) => entityFeature({ ...spec, halfLives: [...spec.halfLives, ...halfLives.map(duration)] }),
    as: (name) => entityFeature({ ...spec, name }),
  }
}

function eventFilter(first: string | ((event: never) => boolean), second?: (event: never) => boolean): EventFilter {
  if (typeof first === 'string' && second === undefined) return { kind: 'field', field: first }
  const accepts = (typeof first === 'string' ? second : first) as (event: object) => boolean
  return { kind: 'function', name: typeof first === 'string' ? first : accepts.name || 'custom', accepts }
}

function duration(text: string): Duration {
  return { ms: parseDurationMs(text), label: text.replaceAll(/\s/g, '') }
}
