import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { createMemoryLog } from '../streams/event-log/memory.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'

/**
 * Speed of the embedded event logs: `node bench/log.ts [records]` (default 500,000). Records of 13 + 200 bytes, four
 * partitions; prints one JSON document with records (or commits) per second.
 */
const count = Number(process.argv[2] ?? 500_000)
const PARTITIONS = 4
const key = Buffer.from('customer-1234')
const value = Buffer.alloc(200, 7)

async function perSecond(times: number, work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return Math.round((times / (performance.now() - startMs)) * 1000)
}

/** Commits of one record and one position each, `perBracket` of them in one `together`. */
async function commits(log: EventLog, times: number, perBracket: number): Promise<void> {
  const writer = await log.acquire('bench', `together ${perBracket}`)
  for (let done = 0; done < times; done += perBracket) {
    await log.together(async () => {
      for (let i = done; i < Math.min(times, done + perBracket); i++) {
        const partition = i % PARTITIONS
        const pending = writer.commit({
          appends: [{ topic: 'bench', partition, records: [{ key, value, timestampMs: i }] }],
          positions: [{ topic: 'bench', partition, next: BigInt(i) }],
        })
        if (pending !== undefined) await pending
      }
    })
  }
}

async function reads(log: EventLog): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let from = 0n
    for (;;) {
      const fetched = await log.fetch('bench', partition, from, { maxRecords: 500, maxBytes: 1 << 20 })
      if (fetched.records.length === 0) break
      from = fetched.next
    }
  }
}

async function measure(log: EventLog): Promise<Record<string, number>> {
  await log.ensureTopics([
    { name: 'bench', partitions: PARTITIONS, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 << 20 },
  ])
  const singles = Math.min(count, 20_000)
  const figures = {
    commitsAlone: await perSecond(singles, () => commits(log, singles, 1)),
    commitsTogether: await perSecond(count, () => commits(log, count, 1000)),
    reads: await perSecond(count + singles, () => reads(log)),
    truncates: await perSecond(count + singles, async () => {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        await log.truncate('bench', partition, BigInt(count))
      }
    }),
  }
  await log.close()
  return figures
}

const directory = mkdtempSync(join(tmpdir(), 'rheo-bench-'))
try {
  const memory = await measure(createMemoryLog())
  const sqlite = await measure(openSqliteLog(join(directory, 'log.db')))
  process.stdout.write(`${JSON.stringify({ records: count, memory, sqlite }, null, 2)}\n`)
} finally {
  rmSync(directory, { recursive: true })
}
