import { parseManifest } from '../../gpu/manifest.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import type { ModelRecord } from '../../processors/inference.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatedAdmissions, STREAM_START_MS } from '../../scenarios/fraud/stream.ts'
import { createFileReader, fileAppends } from '../../scenarios/model-files.ts'
import { createOnnxHosts } from '../../scenarios/model-hosts.ts'
import type { NewModel } from '../../scenarios/model-records.ts'
import type { RheoError } from '../../schemas/errors.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { modelRecordSchema } from '../../schemas/generated/models/model-record.ts'
import { modelTopic } from '../../schemas/topics.ts'
import { createEventCodec } from '../../streams/codec/event-codec.ts'
import { createLocalRegistry } from '../../streams/codec/schema-registry.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { eventOf } from '../../streams/event-value.ts'
import { type Admission, replay } from '../../streams/replay.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import type { Topology } from '../../streams/topology.ts'
import { manifestOf } from '../gpu/models.ts'
import { type Tree, treeRegressor } from '../gpu/tree-models.ts'

export const SLICE_MS = 900_000
export const HOUR_MS = 3_600_000
const INPUT_TOPIC = 'rheo.fraud.input-test.v1'
const NAMES = fraud.featureSet.names

export const START_MS = STREAM_START_MS
export const payments: readonly Admission[] = [
  ...generatedAdmissions(
    fraud.topology(1, SLICE_MS),
    { payments: 500, days: 8, seed: 5, world: 'drift', labelDelayMs: 24 * HOUR_MS },
    0,
    null,
  ),
].flat()

/** Trees that say `above` where the amount is over 60, else `below`. */
export function amountTrees(below: number, above: number): Tree[] {
  const feature = NAMES.indexOf('amount')
  return [{ feature, threshold: 60, missing: 'below', below: { value: below }, above: { value: above } }]
}

export function testModel(version: string, trees: readonly Tree[], fromMs: number, name = 'trees'): NewModel {
  const bytes = encodeOnnx(treeRegressor(trees, NAMES.length))
  const manifest = parseManifest(
    JSON.stringify({ ...manifestOf(bytes, NAMES, { opset: null, missing: { rule: 'nan' } }), name, version }),
  )
  const { sha256 } = manifest
  const record = {
    name,
    version,
    sha256,
    action: 'serve',
    eventTime: fromMs,
    manifest: JSON.stringify(manifest),
  } as const
  return { bytes, record }
}

/** The payments, and among them these records at their event times. */
export function withRecords(records: readonly ModelRecord[]): readonly Admission[] {
  const codec = createEventCodec<ModelRecord>(modelRecordSchema as never, createLocalRegistry())
  const admissions = records.map((record) => ({
    atMs: record.eventTime,
    topic: modelTopic('fraud').name,
    key: record.name,
    value: codec.encode(record),
  }))
  return [...payments, ...admissions].sort((a, b) => a.atMs - b.atMs)
}

export interface ModelRun {
  readonly log: EventLog
  readonly store: StateStore | null
  readonly admissions: readonly Admission[]
  /** Those whose files are there. */
  readonly models: readonly NewModel[]
  readonly batchRecords?: number
  readonly diesAfter?: number
  /** Does more than the scenario's. */
  readonly extended?: (topology: Topology) => Topology
}

/** One call of a replay whose topology takes models in; called again with the same log and store, it goes on. */
export async function runWithModels(run: ModelRun) {
  const { log, store, admissions, models, batchRecords = 1_000, diesAfter, extended = (topology) => topology } = run
  const failures: RheoError[] = []
  const hosts = createOnnxHosts({
    featureNames: NAMES,
    read: createFileReader(log, 'fraud'),
    provider: 'cpu',
    swaps: 'at its record',
    onFailure: (error) => failures.push(error),
  })
  const topology = extended(fraud.topology(1, SLICE_MS, undefined, hosts))
  const input = { name: INPUT_TOPIC, partitions: 1, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 } as const
  await log.ensureTopics([...topology.topics, input])
  await log.append(models.map(({ bytes, record }) => fileAppends('fraud', record.sha256, bytes, 0)))
  try {
    const tasks = await replay({
      topology,
      log,
      store,
      inputTopic: INPUT_TOPIC,
      sliceMs: SLICE_MS,
      batchRecords,
      *items(skip) {
        for (let from = skip; from < admissions.length; from += 50) {
          if (diesAfter !== undefined && from >= diesAfter) throw new Error('died')
          yield admissions.slice(from, from + 50)
        }
      },
      afterGroup: () => undefined,
    })
    return { tasks, failures }
  } finally {
    await hosts.close()
  }
}

export async function scoresOf(log: EventLog): Promise<Score[]> {
  return (await eventsOf(log, 0)) as Score[]
}

/** The events of an output topic, in order: 0 scores, 1 outcomes. */
export async function eventsOf(log: EventLog, index: 0 | 1): Promise<object[]> {
  const { topic, codec } = fraud.topology(1).outputs[index]!
  const events: object[] = []
  const { end } = await log.bounds(topic, 0)
  for (let next = 0n; next < end; ) {
    const fetched = await log.fetch(topic, 0, next, { maxRecords: 1_000, maxBytes: 1 << 26 })
    for (const { value } of fetched.records) events.push(eventOf(value, codec))
    next = fetched.next
  }
  return events
}
