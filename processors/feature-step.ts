import { ByteReader, ByteWriter } from './byte-buffer.ts'
import type { AdmissionControl, SeenIds } from './features/admission.ts'
import type { FeatureSet } from './features/compile.ts'
import type { EntityState } from './features/entity-cells.ts'
import type { EntityPlan } from './features/entity-plan.ts'
import type { Emit, Entry, KeyedTable, Step } from './step.ts'
import { VectorPool } from './vector-pool.ts'

interface EntityFeatures {
  readonly features: EntityState
  readonly seen: SeenIds | null
}

type Fields = Readonly<Record<string, unknown>>

export interface FeatureStepOptions {
  readonly plan: EntityPlan
  readonly features: FeatureSet
  /** The event kind that is scored; other kinds (labels) only feed the state. */
  readonly mainKind: string
  /** The field of the main event that names it. */
  readonly idField: string
  /** On the first entity stage only: refuses duplicates and late records. */
  readonly admission: AdmissionControl | null
  /** Later entity stages by key field, in order; an event without that key passes them by. */
  readonly laterKeys: readonly string[]
  readonly scoreStage: string
}

/** Reads an entity's features from the events before, then lets the event into the state, and sends it on. */
export function createFeatureStep(options: FeatureStepOptions): Step<EntityFeatures> {
  const { plan, features, mainKind, idField, admission, laterKeys, scoreStage } = options
  const vectors = new VectorPool()
  const unknown = new Float64Array(features.names.length).fill(Number.NaN)
  return {
    table: featureTable(plan, features.names, admission),
    resident: null,
    prefetch(states) {
      const arrays = states.map((state) => state.features.cells)
      let sum = 0
      for (const cells of arrays) sum += cells[0]!
      for (const cells of arrays) {
        const end = Math.min(cells.length, READ_AHEAD)
        for (let at = LINE; at < end; at += LINE) sum += cells[at]!
      }
      touched[0] = sum
    },
    fold(entry: Entry, state: EntityFeatures | undefined, emit: Emit) {
      const { features: entity, seen } = state!
      const event = entry.body as Fields
      const tMs = entry.eventTimeMs
      const watermarkMs = emit.watermarkMs
      if (entry.kind !== mainKind) return plan.add(entity, entry.kind, event, tMs, watermarkMs)
      if (admission !== null) {
        const verdict = admission.admit(seen!, String(event[idField]), tMs, watermarkMs)
        if (verdict === 'late') return emit.late(entry)
        if (verdict === 'duplicate') return emit.duplicate(entry)
      }
      const vector = vectors.copyOf(entry.features ?? unknown)
      plan.read(entity, event, tMs, watermarkMs, vector)
      plan.add(entity, mainKind, event, tMs, watermarkMs)
      const next = laterKeys.find((field) => event[field] != null)
      if (next !== undefined) emit.to(next, mainKind, String(event[next]), tMs, event, vector)
      else emit.to(scoreStage, mainKind, String(event[idField]), tMs, event, vector)
    },
  }
}

/** What a state takes besides its cells: objects and array headers. */
const STATE_BYTES = 400
/** Numbers in a cache line. */
const LINE = 8
/** Numbers read ahead of one entity at most. */
const READ_AHEAD = 2_048
/** What is read ahead has to go somewhere, or a compiler may leave it out. */
const touched = new Float64Array(1)

function featureTable(
  plan: EntityPlan,
  names: readonly string[],
  admission: AdmissionControl | null,
): KeyedTable<EntityFeatures> {
  const vector = new Float64Array(names.length)
  const shown = new VectorPool()
  const { entitySlots } = plan
  const shownNames = ['asOfMs', ...entitySlots.map((slot) => names[slot]!)]
  return {
    create: () => ({ features: plan.create(), seen: admission?.create() ?? null }),
    encode({ features, seen }) {
      const writer = ByteWriter.borrow()
      writer.blob(plan.encode(features))
      if (seen !== null) writer.blob(admission!.encode(seen))
      return writer.take()
    },
    decode(bytes) {
      const reader = new ByteReader(bytes)
      return { features: plan.decode(reader.view()), seen: admission?.decode(reader.view()) ?? null }
    },
    bytes: ({ features, seen }) => STATE_BYTES + features.cells.byteLength + (seen?.cells.byteLength ?? 0),
    copy: ({ features, seen }) => ({
      features: plan.copy(features),
      seen: seen === null ? null : admission!.copy(seen),
    }),
    expiresAtMs({ features, seen }) {
      const featuresMs = plan.expiresAtMs(features)
      if (featuresMs === null) return null
      return seen === null ? featuresMs : Math.max(featuresMs, admission!.expiresAtMs(seen))
    },
    /** The features as an event at the time of the newest one would find them, and that time as `asOfMs`. */
    describe({ features }) {
      const values = shown.take(shownNames.length).fill(Number.NaN)
      const asOfMs = features.newestMs
      if (asOfMs === Number.NEGATIVE_INFINITY || features.watermarkMs > plan.expiresAtMs(features))
        return { names: shownNames, values }
      plan.read(features, {}, asOfMs, features.watermarkMs, vector)
      values[0] = asOfMs
      for (let i = 0; i < entitySlots.length; i++) values[i + 1] = vector[entitySlots[i]!]!
      return { names: shownNames, values }
    },
  }
}
