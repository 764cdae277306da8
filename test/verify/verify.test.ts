import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { runReplay, spoiledStream } from '../streams/fraud-stream.ts'
import { readPayment, readScore, withFeatures } from './fraud-events.ts'
import type { FeatureReader, LogReader, ReadRecord } from './log-reader.ts'
import { recomputeCustomer } from './recompute-customer.ts'
import { openSqliteReader } from './sqlite-reader.ts'
import { fraudTopics, isClean, type Verdict, verifyFraud } from './verify-fraud.ts'

const PARTITIONS = 3
/** Every topic of a run of Rheo on an embedded log, as the reader reads it. */
const topics = new Map<string, readonly ReadRecord[]>()
const stream = spoiledStream(1_200, 40)

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-verify-'))
  const file = join(directory, 'log.sqlite')
  const log = openSqliteLog(file)
  await runReplay({ log, store: null, admissions: stream.admissions, partitions: PARTITIONS })
  await log.close()
  const reader = openSqliteReader(file)
  for (const topic of Object.values(fraudTopics)) topics.set(topic, await reader.read(topic))
  await reader.close()
  rmSync(directory, { recursive: true })
}, 60_000)

type Change = (records: readonly ReadRecord[]) => readonly ReadRecord[]

/** The run as it was, but for what `change` does to one topic. */
function reader(topic: string = fraudTopics.scores, change: Change = (records) => records): LogReader {
  return {
    read: (name) => Promise.resolve(name === topic ? change(topics.get(name)!) : (topics.get(name) ?? [])),
    close: () => Promise.resolve(),
  }
}

const verdictOf = (topic: string, change: Change): Promise<Verdict> => verifyFraud(reader(topic, change), null)

function isOnce(ids: readonly (string | undefined)[], id: string): boolean {
  return ids.indexOf(id) === ids.lastIndexOf(id)
}

/** Places of two scores of one customer, terminal, device and partition, in order. */
function sameWay(records: readonly ReadRecord[]): [number, number] {
  const payments = new Map(topics.get(fraudTopics.payments)!.map((record) => [readPayment(record)?.paymentId, record]))
  const first = new Map<string, number>()
  for (const [place, record] of records.entries()) {
    const { customerId, terminalId, deviceId } = readPayment(payments.get(readScore(record).paymentId)!)!
    const way = JSON.stringify([customerId, terminalId, deviceId, record.partition])
    const other = first.get(way)
    if (other !== undefined) return [other, place]
    first.set(way, place)
  }
  throw new Error('the stream has no two payments that go the same way')
}

describe('the verifier', () => {
  test('finds nothing wrong with a run of Rheo, and has looked at all of it', async () => {
    const verdict = await verifyFraud(reader(), null)
    expect(verdict.examples).toEqual([])
    expect(isClean(verdict)).toBe(true)
    const { payments, duplicates, late, refused } = stream
    expect(verdict).toMatchObject({ payments, duplicates, late, refused })
    expect(verdict.scores).toBe(payments - duplicates - late - refused)
    expect(verdict.featuresCompared).toBeGreaterThan(10 * verdict.scores)
  })

  test('sees a lost score', async () => {
    const verdict = await verdictOf(fraudTopics.scores, (records) => records.filter((_, i) => i !== 100))
    expect(verdict).toMatchObject({ lost: 1, doubled: 0, alien: 0 })
    expect(isClean(verdict)).toBe(false)
  })

  test('sees a doubled score', async () => {
    const verdict = await verdictOf(fraudTopics.scores, (records) => [...records, records[100]!])
    expect(verdict).toMatchObject({ lost: 0, doubled: 1, alien: 0 })
  })

  test('sees a score of a payment that nobody sent', async () => {
    const ids = topics.get(fraudTopics.payments)!.map((record) => readPayment(record)?.paymentId)
    const scored = readScore(
      topics.get(fraudTopics.scores)!.find((record) => isOnce(ids, readScore(record).paymentId))!,
    )
    const verdict = await verdictOf(fraudTopics.payments, (records) =>
      records.filter((record) => readPayment(record)?.paymentId !== scored.paymentId),
    )
    expect(verdict.alien).toBe(1)
  })

  test('sees two scores of one way in the wrong order', async () => {
    const verdict = await verdictOf(fraudTopics.scores, (records) => {
      const [a, b] = sameWay(records)
      return records.with(a, records[b]!).with(b, records[a]!)
    })
    expect(verdict).toMatchObject({ lost: 0, doubled: 0, featureDifferences: 0 })
    expect(verdict.outOfOrder).toBeGreaterThan(0)
  })

  test.each(['customerId.count.24h', 'customerId.sum.amount.7d', 'customerId.distinct.deviceId.24h'])(
    'sees that %s is one too many',
    async (name) => {
      const verdict = await verdictOf(fraudTopics.scores, (records) =>
        records.with(
          700,
          withFeatures(records[700]!, (features) => {
            features[name]! += 1
          }),
        ),
      )
      expect(verdict).toMatchObject({ lost: 0, doubled: 0, featureDifferences: 1 })
    },
  )

  test('sees a score of bytes that are no payment', async () => {
    const scored = readScore(topics.get(fraudTopics.scores)![0]!)
    const verdict = await verdictOf(fraudTopics.payments, (records) =>
      records.map((record) =>
        readPayment(record)?.paymentId === scored.paymentId ? { ...record, value: Buffer.from('no payment') } : record,
      ),
    )
    expect(verdict.alien).toBe(1)
    expect(verdict.deadLetterFaults).toBeGreaterThan(0)
  })

  test('sees a dead letter that is missing, and one that is doubled', async () => {
    const dropped = await verdictOf(fraudTopics.deadLetters, (records) => records.slice(1))
    expect(dropped.deadLetterFaults).toBe(1)
    const doubled = await verdictOf(fraudTopics.deadLetters, (records) => [...records, records[0]!])
    expect(doubled.deadLetterFaults).toBe(1)
  })

  test('compares the features in a state store, and sees one that is off by one', async () => {
    const histories = new Map<string, { readonly eventTime: number }[]>()
    const scored = new Set(topics.get(fraudTopics.scores)!.map((record) => readScore(record).paymentId))
    for (const record of topics.get(fraudTopics.payments)!) {
      const payment = readPayment(record)
      if (payment === null || !scored.delete(payment.paymentId)) continue
      histories.set(payment.customerId, [...(histories.get(payment.customerId) ?? []), payment])
    }
    const store = (wrongKey: string | null, change: (features: Map<string, number>) => unknown): FeatureReader => ({
      features(_keyField, _partition, key) {
        const history = histories.get(key) as Parameters<typeof recomputeCustomer>[0] | undefined
        if (history === undefined) return Promise.resolve(null)
        const lastMs = Math.max(...history.map(({ eventTime }) => eventTime))
        const features = new Map(recomputeCustomer(history, lastMs)).set('asOfMs', lastMs)
        if (key === wrongKey) change(features)
        return Promise.resolve(features)
      },
      close: () => Promise.resolve(),
    })
    const right = await verifyFraud(
      reader(),
      store(null, () => undefined),
    )
    expect(right.examples).toEqual([])
    expect(right.statesCompared).toBeGreaterThan(10)
    const [wrongKey] = [...histories.keys()].slice(-1)
    const tooMany = store(wrongKey!, (features) =>
      features.set('customerId.count.1h', features.get('customerId.count.1h')! + 1),
    )
    expect(await verifyFraud(reader(), tooMany)).toMatchObject({ stateDifferences: 1 })
    const behind = store(wrongKey!, (features) => features.set('asOfMs', features.get('asOfMs')! - 1))
    expect(await verifyFraud(reader(), behind)).toMatchObject({ stateDifferences: 1 })
    const ahead = store(wrongKey!, (features) => features.set('asOfMs', features.get('asOfMs')! + 1))
    expect(await verifyFraud(reader(), ahead)).toMatchObject({ stateDifferences: 1 })
  })
})
