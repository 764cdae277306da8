import { RheoError } from '../../schemas/errors.ts'
import { buildSource, type PlacedFeature } from './build-source.ts'
import type { FeatureDeclaration, FeatureSpec } from './declare.ts'
import { DISTINCT_BOUND } from './distinct-values.ts'
import { StateLayout } from './entity-cells.ts'
import { EntityPlan } from './entity-plan.ts'
import { type EntityFeaturePart, entityFeatureParts } from './feature-names.ts'
import { nestedWindows } from './hops.ts'
import type { FieldInput } from './plan-parts.ts'
import { hash53, numberValue } from './value-hash.ts'

const DEFAULT_GRACE_MS = 3_600_000
const HALF_LIVES_KEPT = 20
const NEWEST_KEPT_MS = 90 * 86_400_000
const FORBIDDEN_NAMES = new Set(['__proto__', 'constructor', 'prototype', ''])

export interface FeatureOptions {
  /** The event kind that features are computed for, and that feeds them unless `.of` says otherwise. */
  readonly mainKind: string
  /** How far behind the watermark a record may be and still be exact; default 1 h. */
  readonly graceMs?: number
  /** Fields that every event of a kind has (by schema): saves counting how many have them. */
  readonly requiredFields?: Readonly<Record<string, readonly string[]>>
  /** Entries kept per entity and distinct field; default 1,024. */
  readonly distinctBound?: number
}

export interface EventFeature {
  readonly slot: number
  readonly compute: (event: object) => number
}

export interface DerivedFeature {
  readonly slot: number
  readonly inputs: readonly number[]
  readonly derive: (...inputs: number[]) => number
}

/** The features of a scenario, ready to be computed. A feature vector is float64 [names.length]. */
export interface FeatureSet {
  /** In declaration order: a feature's place is its slot in the vector. */
  readonly names: readonly string[]
  /** Changes whenever the declaration does: a state written under another version cannot be read. */
  readonly version: string
  /** One per entity key field, in order of first use. */
  readonly entities: readonly EntityPlan[]
  readonly event: readonly EventFeature[]
  readonly derived: readonly DerivedFeature[]
  /** Writes the features of the event alone. */
  computeEvent(event: object, out: Float64Array): void
  /** Writes the features made from others, in order of declaration; all others must be in `vector`. */
  computeDerived(vector: Float64Array): void
}

/** Turns declarations into plans. Throws CONFIG_INVALID for double or unknown names, missing windows and the like. */
export function compileFeatures(declarations: readonly FeatureDeclaration[], options: FeatureOptions): FeatureSet {
  const graceMs = options.graceMs ?? DEFAULT_GRACE_MS
  const slots = new Map<string, number>()
  const event: EventFeature[] = []
  const derived: DerivedFeature[] = []
  const byKey = new Map<string, PlacedFeature[]>()
  for (const { spec } of declarations) {
    switch (spec.kind) {
      case 'entity':
        for (const field of [...spec.fields, spec.by ?? 'unset']) checkField(field)
        for (const part of entityFeatureParts(spec, options.mainKind)) placeEntityFeature(byKey, slots, part)
        break
      case 'value': {
        const { field } = spec
        checkField(field)
        event.push({
          slot: newSlot(slots, spec.name),
          compute: (body) => numberValue((body as Readonly<Record<string, unknown>>)[field]),
        })
        break
      }
      case 'compute':
        event.push({ slot: newSlot(slots, spec.name), compute: spec.compute })
        break
      case 'derive': {
        const inputs = spec.inputs.map((input) => knownSlot(slots, input, spec.name))
        derived.push({ slot: newSlot(slots, spec.name), inputs, derive: spec.derive })
        break
      }
    }
  }
  const entities = [...byKey].map(([keyField, features]) => entityPlan(keyField, features, graceMs, options))
  return {
    names: [...slots.keys()],
    version: versionOf(declarations, options, graceMs),
    entities,
    event,
    derived,
    computeEvent(body, out) {
      for (const feature of event) out[feature.slot] = feature.compute(body)
    },
    computeDerived(vector) {
      for (const { slot, inputs, derive } of derived) {
        // Most have two or three inputs: no array for those.
        const [a, b, c] = inputs as readonly [number, number, number]
        if (inputs.length === 2) vector[slot] = derive(vector[a]!, vector[b]!)
        else if (inputs.length === 3) vector[slot] = derive(vector[a]!, vector[b]!, vector[c]!)
        else vector[slot] = derive(...inputs.map((input) => vector[input]!))
      }
    },
  }
}

function entityPlan(
  keyField: string,
  features: readonly PlacedFeature[],
  graceMs: number,
  options: FeatureOptions,
): EntityPlan {
  const windows = nestedWindows(features.flatMap((f) => (f.windowMs === null ? [] : [f.windowMs])))
  const readInputs: FieldInput[] = []
  const state = new StateLayout()
  const distinctBound = options.distinctBound ?? DISTINCT_BOUND
  const byKind = Map.groupBy(features, (f) => f.spec.of ?? options.mainKind)
  return new EntityPlan({
    keyField,
    sources: [...byKind].map(([kind, ofKind]) =>
      buildSource(kind, ofKind, windows, new Set(options.requiredFields?.[kind]), readInputs, state, distinctBound),
    ),
    readInputs,
    defaults: features.map((f) => [f.slot, valueWithoutEvents(f)] as const),
    windows,
    retentionMs: Math.max(
      ...windows.map((window) => window.sizeMs + window.hopMs),
      ...features.map((f) =>
        f.windowMs !== null ? 0 : f.halfLifeMs === null ? NEWEST_KEPT_MS : f.halfLifeMs * HALF_LIVES_KEPT,
      ),
    ),
    graceMs,
    state,
  })
}

function valueWithoutEvents(feature: EntityFeaturePart): number {
  switch (feature.spec.aggregate) {
    case 'count':
    case 'sum':
    case 'distinct':
    case 'seen':
      return 0
    default:
      return Number.NaN
  }
}

function placeEntityFeature(
  byKey: Map<string, PlacedFeature[]>,
  slots: Map<string, number>,
  part: EntityFeaturePart,
): void {
  const keyField = part.spec.by!
  const features = byKey.get(keyField) ?? []
  byKey.set(keyField, features)
  features.push({ ...part, slot: newSlot(slots, part.name) })
}

function newSlot(slots: Map<string, number>, name: string): number {
  if (slots.has(name)) {
    throw new RheoError('CONFIG_INVALID', `two features are called '${name}'`, {
      hint: "Remove one of them, or give it another name with .as('name').",
    })
  }
  checkField(name)
  slots.set(name, slots.size)
  return slots.size - 1
}

function knownSlot(slots: ReadonlyMap<string, number>, name: string, by: string): number {
  const slot = slots.get(name)
  if (slot !== undefined) return slot
  throw new RheoError('CONFIG_INVALID', `feature '${by}' is derived from '${name}', which is not declared before it`, {
    hint: `Declared before it: ${[...slots.keys()].join(', ') || 'nothing'}.`,
  })
}

function checkField(name: string): void {
  if (FORBIDDEN_NAMES.has(name)) {
    throw new RheoError('CONFIG_INVALID', `'${name}' cannot name a field or a feature`)
  }
}

function versionOf(declarations: readonly FeatureDeclaration[], options: FeatureOptions, graceMs: number): string {
  const specs: FeatureSpec[] = declarations.map((declaration) => declaration.spec)
  const text = JSON.stringify({ specs, ...options, graceMs }, (_, value: unknown) =>
    typeof value === 'function' ? String(value) : value,
  )
  return hash53(text).toString(16).padStart(14, '0')
}
