import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { inFolder, rheo } from './rheo.ts'

const START_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000
const map = {
  event: 'payment',
  time: { column: 't', unit: 's', origin: '2026-01-01T00:00:00Z' },
  fields: { paymentId: 'id', customerId: 'c', terminalId: 'k', amount: 'a' },
  label: { column: 'f', delay: '2h' },
}

/** 300 payments, five minutes apart; one of them is none, one comes twice. */
function writeInput(directory: string): void {
  const rows = Array.from({ length: 300 }, (_, i) => [
    i * 300,
    `p${i}`,
    `c${i % 7}`,
    `t${i % 5}`,
    i % 40,
    Number(i % 9 === 0),
  ])
  rows.splice(100, 0, [30_000, 'p99', 'c1', 't4', 19, 1], [30_000, 'bad', 'c1', 't1', 'x', 0])
  writeFileSync(join(directory, 'in.csv'), ['t,id,c,k,a,f', ...rows.map((row) => row.join(',')), ''].join('\n'))
  writeFileSync(join(directory, 'map.json'), JSON.stringify(map))
}

const replayFiles = (directory: string, output: string) =>
  rheo(directory, [
    ...['replay', 'fraud', '--input', 'in.csv', '--map', 'map.json', '--slice', '15m'],
    ...['--state', 's', '--output', output, '--json'],
  ])
const replayLog = (directory: string, ...more: string[]) =>
  rheo(directory, ['replay', 'fraud', '--state', 's', '--slice', '15m', '--json', ...more])
const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

describe('a replay from the log', () => {
  it('gives the bytes of the run that filled it, and of itself, and leaves the log as it was', () =>
    inFolder(async (directory) => {
      writeInput(directory)
      const original = JSON.parse((await replayFiles(directory, 'a.ndjson')).stdout)
      expect(original.flow).toMatchObject({ input: 302, scored: 300, deadLetters: 1, duplicates: 1, labels: 301 })
      const bounds = async () => {
        const log = openSqliteLog(join(directory, 's', 'log.sqlite'))
        const topics = [...(await log.topics()).keys()].sort()
        const ends = await Promise.all(topics.map(async (topic) => [topic, String((await log.bounds(topic, 0)).end)]))
        await log.close()
        return ends
      }
      const before = await bounds()
      const from = ['--from', '2026-01-01']
      const again = JSON.parse((await replayLog(directory, ...from, '--output', 'b.ndjson')).stdout)
      expect(again.outputSha256).toBe(original.outputSha256)
      expect(sha256(join(directory, 'b.ndjson'))).toBe(again.outputSha256)
      expect(again.evaluation).toEqual(original.evaluation)
      // A refused row of a file was never a record of the topic.
      expect(again.flow).toMatchObject({ input: 301, scored: 300, deadLetters: 0, duplicates: 1, balanced: true })
      // Without an output the hash is printed all the same.
      const plain = await rheo(directory, ['replay', 'fraud', '--state', 's', '--slice', '15m', ...from])
      expect(plain.stdout).toContain(`sha256   ${original.outputSha256}`)
      expect(await bounds()).toEqual(before)
    }))

  it('takes what arrived in the range, from an empty state', () =>
    inFolder(async (directory) => {
      writeInput(directory)
      await replayFiles(directory, 'a.ndjson')
      const range = ['--from', '2026-01-01T05:00:00Z', '--to', '2026-01-01T10:00:00Z']
      const { flow } = JSON.parse(
        (await replayLog(directory, ...range, '--output', 'b.ndjson', '--report', 'r.html')).stdout,
      )
      // 60 payments of five hours and the labels of those two hours before.
      expect(flow).toMatchObject({ input: 61, scored: 60, duplicates: 1, balanced: true })
      expect(flow.labels).toBe(60)
      const scores = readFileSync(join(directory, 'b.ndjson'), 'utf8').trimEnd().split('\n')
      const [first] = scores.map((line) => JSON.parse(line))
      expect(first.eventTime).toBe(START_MS + 5 * HOUR_MS)
      expect(first.features['terminalId.count.24h']).toBe(0)
      expect(readFileSync(join(directory, 'r.html'), 'utf8')).toContain('from 2026-01-01T05:00:00.000Z')
    }))

  it('says what is wrong with the range', () =>
    inFolder(async (directory) => {
      const missing = await replayLog(directory, '--from', '2026-01-01')
      expect([missing.code, missing.stderr]).toEqual([4, expect.stringContaining('there is no log in s')])
      writeInput(directory)
      await replayFiles(directory, 'a.ndjson')
      const empty = await replayLog(directory, '--from', '2027-01-01', '--to', '2027-02-01')
      expect(empty.code).toBe(4)
      expect(empty.stderr).toContain('no record between 2027-01-01T00:00:00.000Z and 2027-02-01T00:00:00.000Z')
      expect(empty.stderr).toContain('from 2026-01-01T00:00:00.000Z to 2026-01-02T02:55:00.000Z')
      const both = await replayLog(directory, '--from', '2026-01-01', '--input', 'in.csv', '--map', 'map.json')
      expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('not files or a stream')])
      const log = openSqliteLog(join(directory, 's', 'log.sqlite'))
      await log.truncate(fraud.event.topic.name, 0, 50n)
      await log.close()
      const gone = await replayLog(directory, '--from', '2026-01-01')
      expect([gone.code, gone.stderr]).toEqual([
        4,
        expect.stringContaining('its first record is of 2026-01-01T04:10:00'),
      ])
      const rest = await replayLog(directory, '--from', '2026-01-01T05:00:00Z')
      expect(JSON.parse(rest.stdout).flow.scored).toBe(240)
    }))
})
