import type { ModelRecord } from '../processors/inference.ts'
import { modelTopic } from '../schemas/topics.ts'
import { createEventCodec } from '../streams/codec/event-codec.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { partitionOf } from '../streams/partition.ts'

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

/**
 * Appends a model record, from which on the scenario acts by it. The topic must exist.
 *
 * @param timestampMs the record's processing time
 * @param registry as for `readModelRecords`
 */
export async function appendModelRecord(
  log: EventLog,
  scenario: string,
  record: ModelRecord,
  timestampMs: number,
  registry: SchemaRegistry = createLocalRegistry(),
): Promise<void> {
  const { name: topic, schema } = modelTopic(scenario)
  const codec = createEventCodec<object>(schema as never, registry)
  const partitions = (await log.topics()).get(topic)?.partitions ?? 1
  const value = codec.encode(record)
  const records = [{ key: Buffer.from(record.name), value, timestampMs }]
  await log.append([{ topic, partition: partitionOf(record.name, partitions), records }])
}
