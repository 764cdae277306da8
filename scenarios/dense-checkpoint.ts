import type { DenseState } from '../gpu/online-dense.ts'
import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'
import { topicName } from '../schemas/topics.ts'
import type { Appends, EventLog, TopicSpec } from '../streams/event-log/event-log.ts'
import { chunkRecords } from './model-files.ts'

const FETCH = { maxRecords: 64, maxBytes: 16 * 1_048_576 }
/** Of the form of a checkpoint. */
const VERSION = 1

/** Where the training of a dense model stands. */
export interface DenseCheckpoint {
  readonly state: DenseState
  /** The first example that it has not learnt from: its offset. */
  readonly next: bigint
}

/** Holds the newest checkpoint, in chunks: whoever trains drops those before. */
export function checkpointTopic(scenario: string): TopicSpec {
  const name = topicName(scenario, 'dense-checkpoint')
  return { name, partitions: 1, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1_000_000 }
}

/** @param timestampMs processing time */
export function checkpointAppends(
  scenario: string,
  model: string,
  checkpoint: DenseCheckpoint,
  timestampMs: number,
): Appends {
  const records = chunkRecords(model, encode(checkpoint), timestampMs)
  return { topic: checkpointTopic(scenario).name, partition: 0, records }
}

/** The model's last checkpoint; null: it has none, or one of another form. Throws what the log throws. */
export async function readCheckpoint(log: EventLog, scenario: string, model: string): Promise<DenseCheckpoint | null> {
  const { name: topic } = checkpointTopic(scenario)
  const { start, end } = await log.bounds(topic, 0)
  let newest: DenseCheckpoint | null = null
  let chunks: Uint8Array[] = []
  for (let next = start; next < end; ) {
    const fetched = await log.fetch(topic, 0, next, FETCH)
    for (const { key, value } of fetched.records) {
      const [of, index, count] = Buffer.from(key!).toString().split('/')
      if (of !== model) continue
      if (index === '0') chunks = []
      chunks.push(value instanceof Uint8Array ? value : value!.bytes())
      if (chunks.length === Number(count)) newest = decode(Buffer.concat(chunks))
    }
    if (fetched.next === next) break
    next = fetched.next
  }
  return newest
}

function encode({ state, next }: DenseCheckpoint): Uint8Array {
  const { columns, categories, learnt, firstMs, publishedMs, tensors } = state
  const writer = new ByteWriter(1_048_576)
  writer.byte(VERSION)
  writer.text(String(next))
  writer.varint(columns.length)
  for (const column of columns) writer.text(column)
  writer.varint(categories)
  writer.varint(learnt)
  writer.float64(firstMs)
  writer.float64(publishedMs)
  writer.varint(tensors.size)
  for (const [name, values] of tensors) {
    writer.text(name)
    writer.varint(values.length)
    for (const value of values) writer.float32(value)
  }
  return writer.take()
}

function decode(bytes: Uint8Array): DenseCheckpoint | null {
  const reader = new ByteReader(bytes)
  if (reader.byte() !== VERSION) return null
  const next = BigInt(reader.text())
  const columns = Array.from({ length: reader.varint() }, () => reader.text())
  const [categories, learnt] = [reader.varint(), reader.varint()]
  const [firstMs, publishedMs] = [reader.float64(), reader.float64()]
  const tensors = new Map<string, Float32Array>()
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.text()
    const values = new Float32Array(reader.varint())
    for (let i = 0; i < values.length; i++) values[i] = reader.float32()
    tensors.set(name, values)
  }
  return { state: { columns, categories, learnt, firstMs, publishedMs, tensors }, next }
}
