import { Kafka, logLevel, type Transaction } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventLog, NewRecord } from '../../streams/event-log/event-log.ts'
import { codeOf, readAll, record, text, topicSpec, values } from '../event-log/harness.ts'
import { CutWire } from './cut-wire.ts'
import { BROKER, CLIENTS, needBroker, openTestLog, uniqueName } from './kafka-broker.ts'

const kafka = new Kafka({ brokers: [BROKER], logLevel: logLevel.NOTHING })
beforeAll(() => needBroker())

describe.each(CLIENTS)('by %s', (client) => {
  const log = openTestLog({}, client)
  afterAll(() => log.close())

  async function newTopic(more: Parameters<typeof topicSpec>[0] = {}): Promise<string> {
    const name = uniqueName()
    await log.ensureTopics([topicSpec({ name, partitions: 1, ...more })])
    return name
  }

  describe('sending much at once', () => {
    const many = (count: number, sizeBytes: number): NewRecord[] =>
      Array.from({ length: count }, (_, i) => record(`${i} `.padEnd(sizeBytes, 'x'), { key: Buffer.from(`${i}`) }))
    const numbers = async (topic: string, partition = 0) =>
      (await readAll(log, topic, partition)).map(({ value }) => Number.parseInt(text(value)!, 10))
    const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

    test('an append far over what the broker takes in one batch is cut, and is there whole, in order', async () => {
      const topic = await newTopic({ partitions: 2 })
      const [first] = await log.append([
        { topic, partition: 0, records: many(300, 20_000) },
        { topic, partition: 1, records: many(4_000, 10) },
      ])
      expect(await numbers(topic)).toEqual(upTo(300))
      expect(await numbers(topic, 1)).toEqual(upTo(4_000))
      expect((await readAll(log, topic))[0]!.offset).toBe(first)
    })

    test('a commit is cut likewise', async () => {
      const topic = await newTopic()
      const writer = await log.acquire(topic, '0')
      const positions = [{ topic, partition: 0, next: 7n }]
      await writer.commit({ appends: [{ topic, partition: 0, records: many(200, 30_000) }], positions })
      expect(await numbers(topic)).toEqual(upTo(200))
      expect(await log.committed(topic, topic, 0)).toBe(7n)
    })
  })

  describe('settings of a topic', () => {
    const settings = async (topic: string): Promise<Map<string, string>> => {
      const admin = kafka.admin()
      await admin.connect()
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: topic }],
      })
      await admin.disconnect()
      return new Map(resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]))
    }

    test('a new retention leaves what an operator has set, and the topic compacted', async () => {
      const topic = await newTopic({ cleanup: 'compact' })
      const admin = kafka.admin()
      await admin.connect()
      const before = await settings(topic)
      const kept = ['cleanup.policy', 'retention.ms', 'max.message.bytes', 'message.timestamp.after.max.ms']
      const configEntries = [
        ...kept.map((name) => ({ name, value: before.get(name)! })),
        { name: 'segment.ms', value: '77000' },
      ]
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })
      await admin.disconnect()
      await log.ensureTopics([topicSpec({ name: topic, partitions: 1, cleanup: 'compact', retentionMs: 5_000 })])
      const after = await settings(topic)
      expect(after.get('cleanup.policy')).toBe('compact')
      expect(after.get('segment.ms')).toBe('77000')
      expect(after.get('delete.retention.ms')).toBe('5000')
    })

    test('copies that must be in sync are set when asked for', async () => {
      const strict = openTestLog({ minInsyncReplicas: 1, replicationFactor: 1 })
      const topic = uniqueName()
      await strict.ensureTopics([topicSpec({ name: topic })])
      await strict.close()
      expect((await settings(topic)).get('min.insync.replicas')).toBe('1')
    })
  })

  describe("other producers' transactions", () => {
    test('aborted records are not seen, and reading goes past them, also at the end', async () => {
      const topic = await newTopic()
      const producer = kafka.producer({ transactionalId: uniqueName(), maxInFlightRequests: 1 })
      await producer.connect()
      for (const [value, how] of [
        ['a', 'commit'],
        ['gone', 'abort'],
        ['b', 'commit'],
        ['gone', 'abort'],
      ] as const) {
        const transaction = await producer.transaction()
        await transaction.send({ topic, messages: [{ value }] })
        await transaction[how]()
      }
      await producer.disconnect()
      expect(await values(log, topic)).toEqual(['a', 'b'])
      const { end } = await log.bounds(topic, 0)
      expect(await log.offsetAt(topic, 0, Date.now() + 60_000)).toBe(end)
    })

    test('aborted records are not seen where transactions overlap, whichever ends first', async () => {
      const topic = await newTopic()
      const producers = [0, 1, 2].map(() => kafka.producer({ transactionalId: uniqueName(), maxInFlightRequests: 1 }))
      await Promise.all(producers.map((producer) => producer.connect()))
      const begin = async () => {
        const transactions = []
        for (const producer of producers) transactions.push(await producer.transaction())
        return transactions
      }
      const send = (transaction: Transaction, value: string) => transaction.send({ topic, messages: [{ value }] })
      const [a, b, c] = await begin()
      await send(a!, 'gone a')
      await send(b!, 'gone b')
      await send(c!, 'c')
      await send(a!, 'gone a')
      await send(b!, 'gone b')
      await b!.abort()
      await a!.abort()
      await c!.commit()
      const [d, e, f] = await begin()
      await send(d!, 'gone d')
      await send(e!, 'e')
      await send(f!, 'gone f')
      await send(f!, 'gone f')
      await e!.commit()
      await f!.abort()
      await d!.abort()
      await Promise.all(producers.map((producer) => producer.disconnect()))
      expect(await values(log, topic)).toEqual(['c', 'e'])
      // From anywhere: a fetch that begins within transactions is told of those that it fell into.
      const { end } = await log.bounds(topic, 0)
      for (let from = 0n; from < end; from++) {
        const seen = (await readAll(log, topic, 0, from)).map(({ value }) => text(value))
        expect(['c', 'e'].slice(2 - seen.length)).toEqual(seen)
      }
    })

    test('an open one holds back what comes after it, until it ends', async () => {
      const topic = await newTopic()
      const producer = kafka.producer({ transactionalId: uniqueName(), maxInFlightRequests: 1 })
      await producer.connect()
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: 'open' }] })
      await log.append([{ topic, partition: 0, records: [record('later')] }])
      expect(await values(log, topic)).toEqual([])
      await transaction.commit()
      await producer.disconnect()
      let found: (string | null)[] = []
      for (let i = 0; i < 500 && found.length < 2; i++) found = await values(log, topic)
      expect(found).toEqual(['open', 'later'])
    })
  })

  describe('reading', () => {
    test('records that another process has truncated while they were not read yet are out of range, not jumped over', async () => {
      const topic = await newTopic()
      // Reads little ahead: less than what is there.
      const reader = openTestLog({ bufferBytes: 100_000 }, client)
      const records = Array.from({ length: 100 }, (_, i) => record(`${i}`.padEnd(50_000)))
      for (const each of records) await log.append([{ topic, partition: 0, records: [each] }])
      const first = await reader.fetch(topic, 0, 0n, { maxRecords: 1, maxBytes: 1 })
      expect(first.next).toBe(1n)
      await log.truncate(topic, 0, 90n)
      const seen: number[] = []
      const readOn = async () => {
        for (let next = first.next; next < 100n; ) {
          const fetched = await reader.fetch(topic, 0, next, { maxRecords: 1, maxBytes: 1 })
          seen.push(...fetched.records.map((found) => Number(found.offset)))
          next = fetched.next
        }
      }
      expect(await codeOf(readOn)).toBe('OFFSET_OUT_OF_RANGE')
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i + 1))
      expect(seen.length).toBeLessThan(89)
      await reader.close()
    })

    test('many partitions of several topics are read side by side, each from where it is asked', async () => {
      const topics = [await newTopic({ partitions: 5 }), await newTopic({ partitions: 5 })]
      const appends = topics.flatMap((topic) =>
        Array.from({ length: 5 }, (_, partition) => ({
          topic,
          partition,
          records: Array.from({ length: 40 }, (_, i) => record(`${topic} ${partition} ${i}`)),
        })),
      )
      await log.append(appends)
      const reader = openTestLog({}, client)
      await Promise.all(
        appends.map(async ({ topic, partition, records }) => {
          expect(await values(reader, topic, partition)).toEqual(records.map(({ value }) => text(value as Uint8Array)))
        }),
      )
      await reader.close()
    })
  })

  describe('a commit whose answer is lost', () => {
    const wire = new CutWire()
    let cutLog: EventLog
    beforeAll(async () => {
      await wire.start()
      cutLog = openTestLog({}, client)
    })
    afterAll(async () => {
      await cutLog.close()
      wire.stop()
    })

    test('but which happened: is found to have happened, and the task goes on', async () => {
      const topic = await newTopic()
      const writer = await cutLog.acquire(topic, '0')
      const commit = (value: string, next: bigint) =>
        writer.commit({
          appends: [{ topic, partition: 0, records: [record(value)] }],
          positions: [{ topic, partition: 0, next }],
        })
      await commit('a', 1n)
      wire.lose = 'answer'
      await commit('b', 2n)
      await commit('c', 3n)
      expect(wire.cuts).toBe(1)
      expect(await values(log, topic)).toEqual(['a', 'b', 'c'])
      expect(await log.committed(topic, topic, 0)).toBe(3n)
    })

    test('and which did not happen: is done again, once', async () => {
      const topic = await newTopic()
      const writer = await cutLog.acquire(topic, '0')
      const appends = [{ topic, partition: 0, records: [record('a')] }]
      wire.lose = 'request'
      await writer.commit({ appends, positions: [{ topic, partition: 0, next: 1n }] })
      expect(wire.cuts).toBe(2)
      expect(await values(log, topic)).toEqual(['a'])
      expect(await log.committed(topic, topic, 0)).toBe(1n)
    })

    test('while another takes the task over: is fenced', async () => {
      const topic = await newTopic()
      const writer = await cutLog.acquire(topic, '0')
      const commit = (value: string, next: bigint) => ({
        appends: [{ topic, partition: 0, records: [record(value)] }],
        positions: [{ topic, partition: 0, next }],
      })
      await writer.commit(commit('a', 1n))
      const holder = await log.acquire(topic, '0')
      await holder.commit(commit('b', 2n))
      wire.lose = 'request'
      expect(await codeOf(() => writer.commit(commit('zombie', 2n)))).toBe('FENCED')
      wire.lose = null
      expect(await values(log, topic)).toEqual(['a', 'b'])
    })

    test('and nobody can tell: the writer refuses to go on, and acquiring the task again tells', async () => {
      const topic = await newTopic()
      const writer = await cutLog.acquire(topic, '0')
      const transaction = { appends: [{ topic, partition: 0, records: [record('a')] }], positions: [] }
      wire.lose = 'answer'
      expect(await codeOf(() => writer.commit(transaction))).toBe('LOG_UNAVAILABLE')
      expect(await codeOf(() => writer.commit(transaction))).toBe('LOG_UNAVAILABLE')
      const again = await cutLog.acquire(topic, '0')
      await again.commit({ appends: [{ topic, partition: 0, records: [record('b')] }], positions: [] })
      expect(await values(log, topic)).toEqual(['a', 'b'])
    })
  })
})
