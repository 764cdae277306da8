import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { topicsOf } from './catalogue.ts'
import { readTopic, valueBytes } from './read-partitions.ts'
import { type RecordView, viewerOf } from './record-view.ts'

export interface FoundEvent extends RecordView {
  /** Short name of the topic. */
  readonly topic: string
}

/**
 * Every event of a scenario's catalogue topics whose id field (`paymentId`) is `id`, in the order of the catalogue.
 * Reads the topics whole, but decodes only records that hold the id's bytes.
 */
export async function findEvents(
  log: EventLog,
  registry: SchemaRegistry,
  scenario: string,
  id: string,
): Promise<readonly FoundEvent[]> {
  const wanted = Buffer.from(id)
  const present = await log.topics()
  const found: FoundEvent[] = []
  const topics = topicsOf(scenario)
  const idField = topics.find(({ short }) => short === 'scores')?.keyField ?? ''
  for (const { name, short } of topics) {
    const spec = present.get(name)
    if (spec === undefined) continue
    const view = viewerOf(name, scenario, registry)
    for await (const placed of readTopic(log, name, spec.partitions)) {
      const bytes = valueBytes(placed.record)
      if (bytes === null || !asBuffer(bytes).includes(wanted)) continue
      for (const each of await view(placed))
        if (fieldOf(each.event, idField) === id) found.push({ topic: short, ...each })
    }
  }
  return found
}

function fieldOf(event: unknown, field: string): unknown {
  return typeof event === 'object' && event !== null ? (event as Record<string, unknown>)[field] : undefined
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
