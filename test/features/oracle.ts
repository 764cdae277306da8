import type { EntitySpec } from '../../processors/features/declare.ts'
import type { EntityPlan } from '../../processors/features/entity-plan.ts'
import { greatCircleKm } from '../../processors/features/great-circle.ts'

export interface KnownEvent {
  readonly kind: string
  readonly tMs: number
  readonly event: Readonly<Record<string, unknown>>
}

export interface WantedFeature {
  readonly spec: EntitySpec
  readonly windowMs: number | null
  readonly halfLifeMs: number | null
}

/**
 * Features by their definition, slow and obvious: all events of an entity are kept, in the order in which they came,
 * and every value is computed from scratch.
 */
export class Oracle {
  readonly #plan: EntityPlan
  readonly #mainKind: string
  #events: KnownEvent[] = []

  constructor(plan: EntityPlan, mainKind: string) {
    this.#plan = plan
    this.#mainKind = mainKind
  }

  add(event: KnownEvent, watermarkMs: number): void {
    this.#forgetIfSilent(watermarkMs)
    if (this.#plan.kinds.includes(event.kind)) this.#events.push(event)
  }

  value(wanted: WantedFeature, event: Readonly<Record<string, unknown>>, tMs: number, watermarkMs: number): number {
    this.#forgetIfSilent(watermarkMs)
    const { spec } = wanted
    const kind = spec.of ?? this.#mainKind
    const earlier = this.#events.filter((e) => e.kind === kind && e.tMs <= tMs && passes(spec, e.event))
    if (wanted.windowMs !== null) {
      const window = this.#plan.windows.find((w) => w.sizeMs === wanted.windowMs)!
      const edgeMs = Math.floor((tMs - window.sizeMs) / window.hopMs) * window.hopMs
      return aggregate(
        spec,
        earlier.filter((e) => e.tMs > edgeMs),
        event,
      )
    }
    if (wanted.halfLifeMs !== null) return decayed(spec, earlier, tMs, wanted.halfLifeMs)
    return newest(spec, earlier, event, tMs)
  }

  #forgetIfSilent(watermarkMs: number): void {
    const newestMs = Math.max(...this.#events.map((e) => e.tMs))
    if (watermarkMs > newestMs + this.#plan.retentionMs + this.#plan.graceMs) this.#events = []
  }
}

function passes(spec: EntitySpec, event: Readonly<Record<string, unknown>>): boolean {
  if (spec.where === null) return true
  return spec.where.kind === 'function' ? spec.where.accepts(event) : event[spec.where.field] === true
}

function numbers(events: readonly KnownEvent[], field: string): number[] {
  return events
    .map((e) => e.event[field])
    .filter((x) => x !== null && x !== undefined)
    .map(Number)
}

function aggregate(spec: EntitySpec, events: readonly KnownEvent[], now: Readonly<Record<string, unknown>>): number {
  const field = spec.fields[0] ?? ''
  const xs = numbers(events, field)
  const mean = xs.reduce((a, b) => a + b, 0) / xs.length
  switch (spec.aggregate) {
    case 'count':
      return events.length
    case 'sum':
      return xs.reduce((a, b) => a + b, 0)
    case 'mean':
      return mean
    case 'ratio':
      return xs.filter((x) => x !== 0).length / xs.length
    case 'variance':
      return xs.reduce((a, x) => a + (x - mean) ** 2, 0) / xs.length
    case 'min':
      return xs.length === 0 ? Number.NaN : Math.min(...xs)
    case 'max':
      return xs.length === 0 ? Number.NaN : Math.max(...xs)
    case 'distinct':
      return new Set(events.map((e) => e.event[field]).filter((x) => x != null)).size
    case 'seen':
      if (now[field] == null) return Number.NaN
      return events.some((e) => e.event[field] === now[field]) ? 1 : 0
    default:
      throw new Error(`no window for ${spec.aggregate}`)
  }
}

function decayed(spec: EntitySpec, events: readonly KnownEvent[], tMs: number, halfLifeMs: number): number {
  const field = spec.fields[0]
  const counted = field === undefined ? events : events.filter((e) => e.event[field] != null)
  const weights = counted.map((e) => 2 ** ((e.tMs - tMs) / halfLifeMs))
  const weight = weights.reduce((a, b) => a + b, 0)
  if (field === undefined) return weight
  const weighted = counted.reduce((a, e, i) => a + weights[i]! * Number(e.event[field]), 0)
  return weighted / weight
}

function newest(
  spec: EntitySpec,
  events: readonly KnownEvent[],
  now: Readonly<Record<string, unknown>>,
  tMs: number,
): number {
  const having = events.filter((e) => spec.fields.every((field) => e.event[field] != null))
  const newestMs = Math.max(...having.map((e) => e.tMs))
  const before = having.findLast((e) => e.tMs === newestMs)
  if (before === undefined) return Number.NaN
  const [field = '', other = ''] = spec.fields
  switch (spec.aggregate) {
    case 'sinceLast':
      return (tMs - before.tMs) / 1_000
    case 'last':
      return Number(before.event[field])
    case 'changed':
      return now[field] == null ? Number.NaN : Number(now[field] !== before.event[field])
    case 'speed': {
      if (now[field] == null || now[other] == null) return Number.NaN
      const km = greatCircleKm(
        Number(before.event[field]),
        Number(before.event[other]),
        Number(now[field]),
        Number(now[other]),
      )
      return km / (Math.max(1_000, tMs - before.tMs) / 3_600_000)
    }
    default:
      throw new Error(`${spec.aggregate} needs a window`)
  }
}
