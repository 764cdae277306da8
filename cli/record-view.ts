import type { Scenario } from '../scenarios/define-scenario.ts'
import { scenarios } from '../scenarios/scenarios.ts'
import { RheoError } from '../schemas/errors.ts'
import type { EventSchema } from '../schemas/event-schema.ts'
import { tombstone } from '../streams/codec/envelopes.ts'
import { createEventCodec } from '../streams/codec/event-codec.ts'
import { createInputCodec } from '../streams/codec/input-codec.ts'
import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import { fromDeadLetter } from '../streams/dead-letter.ts'
import type { LogRecord, MaybePromise } from '../streams/event-log/event-log.ts'
import { headerText } from '../streams/event-log/headers.ts'
import { unpack } from '../streams/packing.ts'
import { loadedScenario } from './catalogue.ts'
import { catalogueEntryOf } from './log-topics.ts'
import { modelsNotRun } from './models-not-run.ts'
import type { PlacedRecord } from './read-partitions.ts'
import { valueBytes } from './read-partitions.ts'

/** What a record holds, for people and programs. A block on a stage's topic gives one view per entry. */
export interface RecordView {
  readonly partition: number
  readonly offset: number
  /** The record's timestamp, milliseconds since 1970. */
  readonly timestampMs: number
  readonly key: string | null
  /** `payment`, `$watermark` …; of a topic's own events, the schema's name. */
  readonly kind: string
  /** The decoded event; null for a tombstone or bytes that are no event. */
  readonly event: unknown
  /** Why the bytes are no event, or why the record is a dead letter. */
  readonly rejected?: { readonly code: string; readonly reason: string }
}

/**
 * How the records of a topic become views: by the catalogue, as dead letters, or unpacked from blocks. A promise where
 * a schema has to be asked for.
 */
export type ViewRecord = (placed: PlacedRecord) => MaybePromise<readonly RecordView[]>

/** Throws TOPIC_MISSING for a topic that neither the catalogue nor the scenario knows. */
export function viewerOf(topic: string, scenarioName: string, registry: SchemaRegistry): ViewRecord {
  const entry = catalogueEntryOf(topic)
  if (entry !== undefined) {
    const schema = entry.schema as EventSchema<object>
    // What Rheo writes may hold NaN (a missing feature), which is refused from users.
    const codec =
      entry.producedBy === 'rheo'
        ? createEventCodec(schema, registry)
        : createInputCodec(schema, registry, Number.MAX_SAFE_INTEGER)
    const decode = (bytes: Uint8Array | null): object => (bytes === null ? tombstone : codec.decode(bytes))
    const view = (placed: PlacedRecord): readonly RecordView[] => [eventView(placed, schema.name, decode)]
    return (placed) => {
      const bytes = valueBytes(placed.record)
      const prepared = bytes === null ? undefined : codec.prepare(bytes)
      return prepared instanceof Promise ? prepared.then(() => view(placed)) : view(placed)
    }
  }
  const scenario = loadedScenario(scenarioName) ?? scenarios.get(scenarioName)
  const topology = scenario?.topology(1, undefined, registry, modelsNotRun)
  if (scenario !== undefined && topology?.stages.some((stage) => stage.topic === topic)) {
    return (placed) => blockViews(placed, scenario, topology.bodies)
  }
  throw new RheoError('TOPIC_MISSING', `nothing tells how ${topic} is read`, {
    hint: 'Name the scenario that it belongs to with --scenario.',
  })
}

function place({ partition, record }: PlacedRecord) {
  const key = record.key === null ? null : Buffer.from(record.key).toString('utf8')
  return { partition, offset: Number(record.offset), timestampMs: record.timestampMs, key }
}

function eventView(placed: PlacedRecord, name: string, decode: (bytes: Uint8Array | null) => object): RecordView {
  const decoded = decode(valueBytes(placed.record)) as { readonly kind?: string }
  const refused = refusalOf(placed.record, decoded)
  if (refused !== undefined) return { ...place(placed), kind: name, event: null, rejected: refused }
  return { ...place(placed), kind: name, event: decoded.kind === 'deleted' ? null : decoded }
}

function refusalOf(record: LogRecord, decoded: object): RecordView['rejected'] {
  const letter = headerText(record.headers, 'rheo.dlq.code')
  if (letter !== undefined) {
    const origin = fromDeadLetter(record)?.origin
    return { code: letter, reason: origin?.reason ?? '' }
  }
  const { kind, code, reason } = decoded as Record<string, unknown>
  return kind === 'rejected' ? { code: String(code), reason: String(reason) } : undefined
}

function blockViews(
  placed: PlacedRecord,
  scenario: Scenario,
  bodies: Parameters<typeof unpack>[1],
): readonly RecordView[] {
  return unpack(placed.record.value, bodies).map(
    ({ kind, key, eventTimeMs, watermarkMs, channel, body, features }) => ({
      ...place(placed),
      key,
      kind,
      event: {
        eventTime: eventTimeMs,
        watermark: watermarkMs,
        channel,
        body,
        features: namedFeatures(scenario, features),
      },
    }),
  )
}

/** Only what earlier stages have computed. */
function namedFeatures(scenario: Scenario, features: Float64Array | null): Record<string, number> | null {
  if (features === null) return null
  const named = scenario.featureSet.names.map((name, i) => [name, features[i] ?? Number.NaN] as const)
  return Object.fromEntries(named.filter(([, value]) => !Number.isNaN(value)))
}
