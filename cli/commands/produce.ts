import type { Command } from 'commander'
import type { CatalogueTopic } from '../../schemas/topics.ts'
import type { SchemaRegistry } from '../../streams/codec/schema-registry.ts'
import type { NewRecord } from '../../streams/event-log/event-log.ts'
import { newPartitions, openOrCreateLog, openRegistry } from '../connections.ts'
import { positiveNumber } from '../options.ts'
import { addPlaceOptions, type PlaceOptions, placeOf } from '../place.ts'
import { grouped, note, print, printJson, safe } from '../terminal.ts'

interface Options extends PlaceOptions {
  readonly file?: string
  readonly rate?: number
  readonly json?: boolean
}

const help = `
Reads NDJSON, one event a line, from stdin or --file (also .gz), and appends every line as it stands. Debezium
envelopes and CloudEvents are welcome. A line that is no valid event is appended too, and goes to the dead letters
when a scenario reads it; this command says how many those will be.

Examples:
  rheo produce payments < payments.ndjson
  rheo produce payments --file payments.ndjson.gz --rate 200
  echo '{"paymentId":"p1","eventTime":"2026-08-08T12:00:00Z","fraud":true,"source":"analyst"}' | rheo produce labels`

export function define(command: Command): void {
  addPlaceOptions(command.argument('<topic>', 'a topic that users write to, e.g. payments'))
    .option('--file <path>', 'read this file instead of stdin')
    .option('--rate <n>', 'append at most this many records per second', positiveNumber)
    .option('--json', 'print the counts as one JSON document')
    .addHelpText('after', help)
    .action(produce)
}

/** Records per append: a pause of the producer shows within 50 ms, a fast one pays few transactions. */
const BATCH = 500
const TICK_MS = 50

async function produce(name: string, options: Options): Promise<void> {
  const place = placeOf(options)
  const { catalogueTopicOf } = await import('../log-topics.ts')
  const topic = catalogueTopicOf(place.scenario, name)
  await refuseOutputs(topic)
  const { createLines } = await import('../lines.ts')
  const lines = createLines(options.file ?? null)
  const check = await createCheck(topic, await openRegistry(place))
  const log = await openOrCreateLog(place)
  try {
    const present = (await log.topics()).get(topic.name)
    const partitions = present?.partitions ?? newPartitions(place, topic.partitions)
    if (present === undefined) await log.ensureTopics([{ ...topic, partitions }])
    const startMs = performance.now()
    let records = 0
    for await (const batch of batched(lines, options.rate)) {
      const boxes: NewRecord[][] = Array.from({ length: partitions }, () => [])
      for (const line of batch) {
        const { key, partition } = check.place(line, partitions)
        boxes[partition]!.push({ key, value: line, timestampMs: Date.now() })
      }
      const appends = boxes.map((box, partition) => ({ topic: topic.name, partition, records: box }))
      await log.append(appends.filter((each) => each.records.length > 0))
      records += batch.length
    }
    const seconds = (performance.now() - startMs) / 1000
    if (options.json)
      return printJson({ topic: topic.name, records, invalid: check.invalid, firstReason: check.firstReason })
    print(`${grouped(records)} records appended to ${topic.name} in ${grouped(seconds)} s`)
    if (check.invalid > 0) {
      note(`${grouped(check.invalid)} of them will go to the dead letters; the first: ${safe(check.firstReason ?? '')}`)
    }
  } finally {
    await log.close()
  }
}

async function refuseOutputs(topic: CatalogueTopic): Promise<void> {
  if (topic.producedBy === 'user') return
  const { RheoError } = await import('../../schemas/errors.ts')
  const { topics } = await import('../../schemas/topics.ts')
  const inputs = topics.filter((each) => each.scenario === topic.scenario && each.producedBy === 'user')
  throw new RheoError('USAGE', `${topic.short} is written by Rheo alone`, {
    hint: `You may produce to ${inputs.map((each) => each.short).join(', ')}.`,
  })
}

interface Check {
  /** Key and partition of a line: those of its event, or a fixed place for what is no event. */
  place(line: Uint8Array, partitions: number): { readonly key: Uint8Array | null; readonly partition: number }
  invalid: number
  firstReason: string | null
}

async function createCheck(topic: CatalogueTopic, registry: SchemaRegistry): Promise<Check> {
  const { createInputCodec } = await import('../../streams/codec/input-codec.ts')
  const { partitionOf } = await import('../../streams/partition.ts')
  const codec = createInputCodec<object>(topic.schema as never, registry, topic.maxRecordBytes)
  const check: Check = {
    invalid: 0,
    firstReason: null,
    place(line, partitions) {
      const decoded = codec.decode(line)
      if ('kind' in decoded) {
        if (decoded.kind === 'rejected') {
          check.invalid++
          check.firstReason ??= (decoded as { readonly reason: string }).reason
        }
        return { key: null, partition: 0 }
      }
      const key = String((decoded as Record<string, unknown>)[topic.keyField])
      return { key: Buffer.from(key), partition: partitionOf(key, partitions) }
    },
  }
  return check
}

/** Lines in batches; with a rate, as many per tick as the rate allows. */
async function* batched(lines: AsyncIterable<Uint8Array>, perSecond: number | undefined): AsyncGenerator<Uint8Array[]> {
  const { setTimeout: sleep } = await import('node:timers/promises')
  const startMs = performance.now()
  let sent = 0
  let batch: Uint8Array[] = []
  let batchStartMs = startMs
  for await (const line of lines) {
    if (perSecond !== undefined) {
      const dueMs = startMs + (sent * 1000) / perSecond
      const earlyMs = dueMs - performance.now()
      if (earlyMs > 1) {
        if (batch.length > 0) yield batch
        batch = []
        await sleep(earlyMs)
      }
    }
    batch.push(line)
    sent++
    if (batch.length < BATCH && performance.now() - batchStartMs < TICK_MS) continue
    yield batch
    batch = []
    batchStartMs = performance.now()
  }
  if (batch.length > 0) yield batch
}
