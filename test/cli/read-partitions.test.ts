import { expect, it } from 'vitest'
import { lastRecords } from '../../cli/read-partitions.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'

const TOPIC = 't'

async function logWith(...timesMs: readonly (readonly number[])[]) {
  const log = createMemoryLog()
  const spec = { cleanup: 'delete', retentionMs: null, maxRecordBytes: 1_000 } as const
  await log.ensureTopics([{ name: TOPIC, partitions: timesMs.length, ...spec }])
  for (const [partition, times] of timesMs.entries()) {
    const records = times.map((timestampMs) => ({ key: null, value: Buffer.from('x'), timestampMs }))
    await log.append([{ topic: TOPIC, partition, records }])
  }
  return log
}

it('finds the newest records of all partitions, oldest first, and where to go on', async () => {
  const log = await logWith([1, 2, 9], [], [3, 7, 8])
  const { records, ends } = await lastRecords(log, TOPIC, 3, 4)
  expect(records.map(({ record }) => record.timestampMs)).toEqual([3, 7, 8, 9])
  expect(ends).toEqual([3n, 0n, 3n])
})

it('takes the end of a partition even where its times go back', async () => {
  const log = await logWith([9, 1], [2, 3])
  const { records } = await lastRecords(log, TOPIC, 2, 3)
  expect(records.map(({ partition, record }) => [partition, record.timestampMs])).toEqual([
    [0, 1],
    [1, 2],
    [1, 3],
  ])
})

it('gives all that is there where it is less', async () => {
  const log = await logWith([1], [2])
  expect((await lastRecords(log, TOPIC, 2, 10)).records).toHaveLength(2)
})
