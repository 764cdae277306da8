import { expect, test } from 'vitest'
import { Checkpoint } from '../../streams/checkpoint.ts'
import type { EventLog, TopicSpec } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'

const spec: TopicSpec = { name: 'stage', partitions: 1, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1_000 }
const pages = { positions: new Map<string, bigint>(), puts: [], deletes: [], watermarkMs: 0 }
const MOST_STEPS = 20

/** How far each step of a flush drops a topic of 2,500 records, of which 2,400 were read. `log` is what the flush sees. */
async function drops(dropRecords: bigint | null, wrap: (log: EventLog) => EventLog): Promise<readonly bigint[]> {
  const inner = createMemoryLog()
  await inner.ensureTopics([spec])
  const record = { key: null, value: Buffer.from('x'), timestampMs: 0 }
  await inner.append([{ topic: 'stage', partition: 0, records: new Array(2_500).fill(record) }])
  const asked: bigint[] = []
  const log = wrap(inner)
  const seen: EventLog = {
    ...log,
    truncate(topic, partition, before) {
      asked.push(before)
      return log.truncate(topic, partition, before)
    },
  }
  const drop = [{ topic: 'stage', partition: 0, next: 2_400n }]
  const checkpoint = new Checkpoint(null, seen, [], pages, drop, dropRecords)
  for (let step = 0; (await checkpoint.advance(100)) && step < MOST_STEPS; step++);
  return asked
}

test('what was read of a topic is dropped in parts', async () => {
  expect(await drops(1_000n, (log) => log)).toEqual([1_000n, 2_000n, 2_400n])
})

test('or at once, so that a flush ends also where the log puts dropping off', async () => {
  const lazy = (log: EventLog): EventLog => ({ ...log, truncate: () => undefined })
  expect(await drops(null, lazy)).toEqual([2_400n])
})
