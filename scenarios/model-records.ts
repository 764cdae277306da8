import type { ModelRecord } from '../processors/inference.ts'
import { modelTopic } from '../schemas/topics.ts'
import { createEventCodec } from '../streams/codec/event-codec.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { Appends, EventLog } from '../streams/event-log/event-log.ts'
import { partitionOf } from '../streams/partition.ts'
import { fileAppends } from './model-files.ts'

const FETCH = { maxRecords: 1_000, maxBytes: 16 * 1_048_576 }

/** A model record as it stands in the log. */
export interface LoggedModelRecord extends ModelRecord {
  readonly partition: number
  readonly offset: bigint
}

/**
 * The model records of a log, oldest first within a name; none where the topic does not exist.
 *
 * @param registry whose ids the log's events have. Default: those of this version.
 */
export async function readModelRecords(
  log: EventLog,
  scenario: string,
  registry: SchemaRegistry = createLocalRegistry(),
): Promise<readonly LoggedModelRecord[]> {
  const { name: topic, schema } = modelTopic(scenario)
  const codec = createEventCodec<object>(schema as never, registry)
  const partitions = (await log.topics()).get(topic)?.partitions ?? 0
  const found: LoggedModelRecord[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(topic, partition)
    for (let next = start; next < end; ) {
      const fetched = await log.fetch(topic, partition, next, FETCH)
      for (const { value, offset } of fetched.records) {
        if (value === null) continue
        const bytes = value instanceof Uint8Array ? value : value.bytes()
        await codec.prepare(bytes)
        const record = codec.decode(bytes)
        if (!('kind' in record)) found.push({ ...(record as ModelRecord), partition, offset })
      }
      next = fetched.next
    }
  }
  return found
}

/** The records that are in force after all of these: per name the last one, unless it withdraws the model. */
export function inForce<R extends ModelRecord>(records: readonly R[]): readonly R[] {
  const last = new Map(records.map((record) => [record.name, record]))
  return [...last.values()].filter(({ action }) => action === 'serve')
}

/** A version that is to score: its file and the record that says so. */
export interface NewModel {
  readonly bytes: Uint8Array
  readonly record: ModelRecord
}

/**
 * Adds a model: its file and its record, in one append, so that nobody meets a record without its file. The topics
 * must exist.
 *
 * @param timestampMs the records' processing time
 * @param registry as for `readModelRecords`
 */
export async function addModel(
  log: EventLog,
  scenario: string,
  { bytes, record }: NewModel,
  timestampMs: number,
  registry?: SchemaRegistry,
): Promise<void> {
  const file = fileAppends(scenario, record.sha256, bytes, timestampMs)
  await log.append([file, await recordAppends(log, scenario, record, timestampMs, registry)])
}

/** What is appended for a record, from which on the scenario acts by it. The topic must exist. Parameters as for `addModel`. */
export async function recordAppends(
  log: EventLog,
  scenario: string,
  record: ModelRecord,
  timestampMs: number,
  registry: SchemaRegistry = createLocalRegistry(),
): Promise<Appends> {
  const { name: topic, schema } = modelTopic(scenario)
  const value = createEventCodec<object>(schema as never, registry).encode(record)
  const partitions = (await log.topics()).get(topic)?.partitions ?? 1
  const records = [{ key: Buffer.from(record.name), value, timestampMs }]
  return { topic, partition: partitionOf(record.name, partitions), records }
}
