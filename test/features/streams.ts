import fc from 'fast-check'
import { compileFeatures } from '../../processors/features/compile.ts'
import {
  changed,
  count,
  distinct,
  type EntityFeature,
  last,
  max,
  mean,
  min,
  ratio,
  seen,
  sinceLast,
  speed,
  sum,
  variance,
} from '../../processors/features/declare.ts'
import type { EntityState } from '../../processors/features/entity-cells.ts'
import type { EntityPlan } from '../../processors/features/entity-plan.ts'
import { entityFeatureParts } from '../../processors/features/feature-names.ts'
import type { KnownEvent, WantedFeature } from './oracle.ts'

/** One call on an entity: an event, and the watermark of its stage when it is folded. */
export interface Step extends KnownEvent {
  readonly watermarkMs: number
}

export const MAIN = 'payment'

const WINDOWS = ['1 min', '1 h', '24 h', '7 d', '30 d'] as const

/** Every aggregate, over all windows, of both kinds, filtered and not. */
export const EVERYTHING: readonly EntityFeature[] = [
  count().over(...WINDOWS),
  sum('amount').over(...WINDOWS),
  mean('amount').over(...WINDOWS),
  variance('amount').over(...WINDOWS),
  min('amount').over(...WINDOWS),
  max('amount').over(...WINDOWS),
  ratio('declined').over(...WINDOWS),
  count()
    .where('declined')
    .over(...WINDOWS),
  sum('amount')
    .where<{ amount: number | null }>('large', (event) => (event.amount ?? 0) > 50)
    .over('1 h', '7 d'),
  distinct('deviceId').over(...WINDOWS),
  distinct('deviceId').where('declined').over('24 h'),
  seen('deviceId').over('1 h', '30 d'),
  count().halfLife('24 h', '7 d'),
  mean('amount').halfLife('7 d'),
  ratio('declined').halfLife('24 h'),
  sinceLast(),
  sinceLast().where('declined'),
  last('amount'),
  changed('deviceId'),
  speed('latitude', 'longitude'),
  ratio('fraud').of('label').over('24 h', '7 d'),
  last('fraud').of('label'),
  count().of('label').halfLife('7 d'),
].map((feature) => feature.by('customerId'))

export function planOf(
  features: readonly EntityFeature[],
  options: { graceMs?: number; distinctBound?: number } = {},
): { plan: EntityPlan; names: readonly string[]; wanted: readonly WantedFeature[] } {
  const set = compileFeatures(features, { mainKind: MAIN, ...options })
  return {
    plan: set.entities[0]!,
    names: set.names,
    wanted: features.flatMap((feature) => [...entityFeatureParts(feature.spec, MAIN)]),
  }
}

/** Folds steps as a feature stage does: a main event reads before it is added. Returns what it read. */
export function foldSteps(
  plan: EntityPlan,
  names: readonly string[],
  steps: readonly Step[],
  between: (state: EntityState, index: number) => EntityState = (state) => state,
): { vectors: readonly Float64Array[]; state: EntityState } {
  let state = plan.create()
  const vectors: Float64Array[] = []
  steps.forEach((step, index) => {
    if (step.kind === MAIN) {
      const vector = new Float64Array(names.length).fill(-1)
      plan.read(state, step.event, step.tMs, step.watermarkMs, vector)
      vectors.push(vector)
    }
    plan.add(state, step.kind, step.event, step.tMs, step.watermarkMs)
    state = between(state, index)
  })
  return { vectors, state }
}

const START_MS = Date.UTC(2026, 0, 5)
const gapMs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 999, 1_000, 20_000) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3_600_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 90_000_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 * 86_400_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(150 * 86_400_000, 200 * 86_400_000) },
)

const rawStep = fc.record({
  gapMs,
  /** How far behind the newest event, as a share of the grace period. */
  behind: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
  /** How far the watermark has followed. */
  lag: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  kind: fc.constantFrom('payment', 'payment', 'payment', 'label'),
  amount: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 20_000 }).map((cents) => cents / 100) },
    { weight: 1, arbitrary: fc.constantFrom(0.001, 1e9, null) },
  ),
  declined: fc.option(fc.boolean(), { freq: 8 }),
  fraud: fc.boolean(),
  deviceId: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 8 }),
  latitude: fc.option(fc.double({ min: -80, max: 80, noNaN: true }), { freq: 3 }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
})

/** Streams of one entity: out of order within the grace period, with equal times, gaps, and labels of any age. */
export function arbitrarySteps(graceMs: number, maxLength = 120): fc.Arbitrary<readonly Step[]> {
  return fc.array(rawStep, { minLength: 1, maxLength, size: 'max' }).map((raws) => {
    let newestMs = START_MS
    let watermarkMs = Number.NEGATIVE_INFINITY
    return raws.map((raw) => {
      newestMs += raw.gapMs
      watermarkMs = Math.max(watermarkMs, Math.floor(newestMs - raw.lag * graceMs))
      const oldestMs = Math.max(START_MS, watermarkMs - graceMs)
      const latenessMs = raw.kind === 'label' ? raw.behind * 10 * graceMs : raw.behind * (newestMs - oldestMs)
      const tMs = Math.ceil(newestMs - latenessMs)
      const { gapMs: _gap, behind: _behind, lag: _lag, kind, ...event } = raw
      return { kind, tMs, watermarkMs, event: { ...event, customerId: 'x', eventTime: tMs } }
    })
  })
}
