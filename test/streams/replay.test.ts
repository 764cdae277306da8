import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { dlqTopic, lateTopic } from '../../schemas/topics.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import { countsOf, outputHash, recordsOn, runReplay, spoiledStream, storedState } from './fraud-stream.ts'

const stream = spoiledStream(2_500, 50)
const { admissions } = stream
let expected: string

beforeAll(async () => {
  const log = createMemoryLog()
  await runReplay({ log, store: null, admissions })
  expected = await outputHash(log)
})

async function balance(partitions: number) {
  const log = createMemoryLog()
  const tasks = await runReplay({ log, store: null, admissions, partitions })
  const payments = fraud.event.topic.name
  const { duplicates } = countsOf(tasks)
  const on = (topic: string): Promise<number> => recordsOn(log, topic, partitions)
  return {
    payments: await on(payments),
    scored: await on(fraud.scores.topic.name),
    refused: await on(dlqTopic(payments)),
    late: await on(lateTopic(payments)),
    duplicates,
  }
}

describe('a replay of the fraud scenario with doubled, late, future and broken records', () => {
  test.each([1, 7, 100, 2_000])('gives the same bytes in batches of %i', async (batchRecords) => {
    const log = createMemoryLog()
    await runReplay({ log, store: null, admissions, batchRecords })
    expect(await outputHash(log)).toBe(expected)
  })

  test('gives the same bytes on SQLite as in memory, and the same state', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rheo-replay-'))
    const log = openSqliteLog(join(directory, 'log.sqlite'))
    const store = openSqliteStateStore(join(directory, 'state.sqlite'))
    try {
      const memory = createMemoryStateStore()
      await runReplay({ log: createMemoryLog(), store: memory, admissions })
      await runReplay({ log, store, admissions })
      expect(await outputHash(log)).toBe(expected)
      expect(await storedState(store)).toEqual(await storedState(memory))
    } finally {
      await log.close()
      await store.close()
      rmSync(directory, { recursive: true })
    }
  })

  test('gives the same bytes twice on three partitions, however batches are cut', async () => {
    const hashes: string[] = []
    for (const batchRecords of [1_000, 1_000, 7]) {
      const log = createMemoryLog()
      await runReplay({ log, store: null, admissions, batchRecords, partitions: 3 })
      hashes.push(await outputHash(log, 3))
    }
    expect(new Set(hashes).size).toBe(1)
  })

  test.each([1, 3])('loses and doubles nothing on %i partitions: every payment has one verdict', async (partitions) => {
    const { payments, duplicates, late, refused } = stream
    expect(Math.min(duplicates, late, refused)).toBeGreaterThan(50)
    const scored = payments - duplicates - late - refused
    expect(await balance(partitions)).toEqual({ payments, scored, refused, late, duplicates })
  })
})
