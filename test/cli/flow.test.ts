import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { reject } from '../../schemas/rejection.ts'
import { dlqTopic, topicName } from '../../schemas/topics.ts'
import { toDeadLetter } from '../../streams/dead-letter.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { inFolder, rheo } from './rheo.ts'

const payment = (id: string): string =>
  JSON.stringify({ paymentId: id, eventTime: 1_767_225_600_000, customerId: 'c1', terminalId: 't1', amount: 3 })

describe('produce and subscribe', () => {
  it('gives back what was produced, decoded, and counts what is no event', () =>
    inFolder(async (directory) => {
      const stdin = `${payment('p1')}\n\n{"broken\n${payment('p2')}\r\n${payment('p3')}`
      const produced = await rheo(directory, ['produce', 'payments', '--json'], { stdin })
      expect(JSON.parse(produced.stdout)).toMatchObject({ records: 4, invalid: 1 })
      const args = ['subscribe', 'payments', '--since', 'start', '--no-follow', '--json']
      const views = (await rheo(directory, args)).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(views.map(({ event }) => event?.paymentId)).toEqual(['p1', undefined, 'p2', 'p3'])
      expect(views[0]).toMatchObject({ key: 'c1', event: { currency: 'EUR', declined: false } })
      expect(views[1].rejected.code).toBe('INVALID_JSON')
      const filtered = await rheo(directory, [...args, '--filter', 'paymentId == "p2"'])
      expect(filtered.stdout.trim().split('\n')).toHaveLength(1)
    }))

  it('shows hostile content without obeying it', () =>
    inFolder(async (directory) => {
      await rheo(directory, ['produce', 'payments'], { stdin: payment('\u001b[2J\u009b31m') })
      for (const more of [[], ['--json']]) {
        const { stdout } = await rheo(directory, ['subscribe', 'payments', '--no-follow', ...more])
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
        expect(stdout.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
      }
    }))
})

describe('dead letters', () => {
  it('are listed, shown with their original bytes, and retried once', () =>
    inFolder(async (directory) => {
      const topic = topicName('fraud', 'payments')
      const bytes = Buffer.from('{"broken')
      await rheo(directory, ['produce', 'payments', '--state', 's'], { stdin: payment('p1') })
      const log = openSqliteLog(join(directory, 's', 'log.sqlite'))
      const spec = {
        name: dlqTopic(topic),
        partitions: 1,
        cleanup: 'delete',
        retentionMs: null,
        maxRecordBytes: 9_999,
      } as const
      await log.ensureTopics([spec])
      const record = { offset: 41n, key: Buffer.from('c1'), value: bytes, headers: { own: 'header' }, timestampMs: 5 }
      const letter = toDeadLetter(record, topic, 0, reject('INVALID_JSON', 'no JSON'), 'intake')
      await log.append([{ topic: spec.name, partition: 0, records: [letter] }])
      await log.close()

      const listed = JSON.parse((await rheo(directory, ['dlq', 'ls', '--state', 's', '--json'])).stdout)
      expect(listed.counts).toEqual([{ topic: 'payments', code: 'INVALID_JSON', letters: 1, retried: 0 }])
      const shown = JSON.parse(
        (await rheo(directory, ['dlq', 'show', 'payments', '0:0', '--state', 's', '--json'])).stdout,
      )
      expect(Buffer.from(shown.value, 'base64')).toEqual(bytes)

      const retry = ['dlq', 'retry', '--state', 's', '--json']
      const counts = []
      for (const args of [[...retry, '--dry-run'], retry, retry])
        counts.push(JSON.parse((await rheo(directory, args)).stdout).topics[0].retried)
      expect(counts).toEqual([1, 1, 0])

      const again = openSqliteLog(join(directory, 's', 'log.sqlite'))
      const { records } = await again.fetch(topic, 0, 0n, { maxRecords: 10, maxBytes: 9_999 })
      await again.close()
      expect(records).toHaveLength(2)
      expect(Buffer.from(records[1]!.value as Uint8Array)).toEqual(bytes)
      expect(records[1]!.headers).toEqual({ own: 'header' })
    }))

  it('refuses positions that hold none', () =>
    inFolder(async (directory) => {
      await rheo(directory, ['replay', 'fraud', '--payments', '50', '--days', '2', '--state', 's', '--slice', '1h'])
      expect((await rheo(directory, ['dlq', 'show', 'payments', 'x', '--state', 's'])).code).toBe(2)
      expect((await rheo(directory, ['dlq', 'show', 'payments', '0:7', '--state', 's'])).code).toBe(4)
    }))
})

describe('replay', () => {
  it('prints one document, writes one score per payment, and lets them be explained and their state be read', () =>
    inFolder(async (directory) => {
      const args = [
        'replay',
        'fraud',
        '--payments',
        '300',
        '--days',
        '5',
        '--slice',
        '15m',
        '--output',
        'scores.ndjson',
        '--state',
        's',
        '--json',
      ]
      const { code, stdout } = await rheo(directory, args)
      expect(code).toBe(0)
      const summary = JSON.parse(stdout)
      expect(summary.flow.balanced).toBe(true)
      expect(summary.flow.scored).toBeGreaterThan(100)
      const scores = await rheo(directory, [
        'subscribe',
        'scores',
        '--since',
        'start',
        '--no-follow',
        '--json',
        '--state',
        's',
      ])
      const lines = scores.stdout.trim().split('\n')
      expect(lines).toHaveLength(summary.flow.scored)
      const id = JSON.parse(lines.at(-1)!).event.paymentId
      const explained = JSON.parse((await rheo(directory, ['explain', id, '--state', 's', '--json'])).stdout)
      expect(explained.score.paymentId).toBe(id)
      const source = explained.sources.find(({ kind }: { kind: string }) => kind === 'payment')
      const { customerId } = source.event
      const state = await rheo(directory, ['state', 'get', 'customerId', customerId, '--state', 's', '--json'])
      expect(JSON.parse(state.stdout)).toMatchObject({
        stage: 'customerId',
        key: customerId,
        features: { 'customerId.count.30d': expect.any(Number) },
      })
    }))
})
