import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { topicSpec, values } from './harness.ts'

/** Runs the writer and kills it `afterLines` acknowledgements and `delayMs` later; the last number it acknowledged. */
async function writeUntilKilled(file: string, afterLines: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'crash-writer.ts'), file])
  let acknowledged = ''
  let errors = ''
  let isDoomed = false
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  child.stdout.on('data', (chunk: Buffer) => {
    acknowledged += chunk.toString()
    if (isDoomed || acknowledged.split('\n').length <= afterLines) return
    isDoomed = true
    setTimeout(() => child.kill('SIGKILL'), delayMs)
  })
  const [, signal] = await once(child, 'close')
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${errors}`)
  return Number(acknowledged.slice(0, acknowledged.lastIndexOf('\n')).split('\n').at(-1))
}

test('killed at random moments, every commit is whole or absent, and the acknowledged ones are there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-crash-'))
  const file = join(directory, 'log.db')
  try {
    const fresh = openSqliteLog(file)
    await fresh.ensureTopics([topicSpec()])
    await fresh.close()
    let before = 0
    for (let kill = 0; kill < 10; kill++) {
      const afterLines = 1 + Math.floor(Math.random() * 60)
      const delayMs = Math.floor(Math.random() * 8)
      const acknowledged = await writeUntilKilled(file, afterLines, delayMs)
      const log = openSqliteLog(file)
      const count = Number(await log.committed('g', 'events', 0))
      const expected = Array.from({ length: count * 3 }, (_, i) => `${Math.floor(i / 3)}`)
      const where = `kill ${kill} after ${afterLines} lines and ${delayMs} ms`
      expect(count, where).toBeGreaterThan(acknowledged)
      // Of a round (one commit alone, five together) there is nothing, the first, or all six.
      expect([0, 1], where).toContain((count - before) % 6)
      before = count
      expect(await values(log, 'events', 0), where).toEqual(expected)
      expect(await values(log, 'events', 1), where).toEqual(expected)
      await log.close()
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})
