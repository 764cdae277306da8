import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { record, TOPIC, text, topicSpec } from './harness.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-checkpointer-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const MEGABYTE = 1_048_576

/** 4 MiB in 16 commits: less than what makes a commit checkpoint by itself. */
async function fill(file: string, checkpoints: 'inline' | 'background') {
  const log = openSqliteLog(file, { checkpoints })
  await log.ensureTopics([topicSpec({ maxRecordBytes: MEGABYTE })])
  for (let i = 0; i < 16; i++) {
    await log.append([{ topic: TOPIC, partition: 0, records: [record(`${i % 10}`.repeat(MEGABYTE / 4))] }])
  }
  return log
}

test('in the background, what was committed comes into the file while the writer does nothing', async () => {
  const file = join(directory, 'log.sqlite')
  const log = await fill(file, 'background')
  await vi.waitFor(() => expect(statSync(file).size).toBeGreaterThan(4 * MEGABYTE), { timeout: 10_000 })
  await log.close()
  const again = openSqliteLog(file)
  const { records } = await again.fetch(TOPIC, 0, 0n, { maxRecords: 100, maxBytes: 64 * MEGABYTE })
  expect(records.map(({ value }) => text(value)?.length)).toEqual(Array(16).fill(MEGABYTE / 4))
  await again.close()
})

test('inline, it stays in the write-ahead log until a commit makes that long', async () => {
  const file = join(directory, 'log.sqlite')
  const log = await fill(file, 'inline')
  expect(statSync(file).size).toBeLessThan(MEGABYTE)
  await log.close()
})
