import { createRequire } from 'node:module'
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registerCodecs } from '../../streams/event-log/kafka-codecs.ts'
import { readAll, text, topicSpec } from '../event-log/harness.ts'
import { BROKER, needBroker, openTestLog, uniqueName } from './kafka-broker.ts'

const require = createRequire(import.meta.url)
const snappy = require('snappyjs') as { compress(bytes: Uint8Array): Uint8Array }

const log = openTestLog()
beforeAll(async () => {
  await needBroker()
  registerCodecs()
})
afterAll(() => log.close())

describe('batches of other producers', () => {
  const kafka = new Kafka({ brokers: [BROKER], logLevel: logLevel.NOTHING })
  const values = Array.from({ length: 3_000 }, (_, i) => `payment ${i} of ${i % 7}, and again: payment ${i}`)

  for (const [name, compression] of [
    ['none', CompressionTypes.None],
    ['gzip', CompressionTypes.GZIP],
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
    ['zstd', CompressionTypes.ZSTD],
  ] as const) {
    test(`are read when compressed with ${name}`, async () => {
      const topic = uniqueName()
      await log.ensureTopics([topicSpec({ name: topic, partitions: 1, maxRecordBytes: 1_000_000 })])
      const producer = kafka.producer({ idempotent: true })
      await producer.connect()
      await producer.send({
        topic,
        compression,
        messages: values.map((value) => ({ key: 'k', value, headers: { source: 'elsewhere' } })),
      })
      await producer.disconnect()
      const records = await readAll(log, topic)
      expect(records.map(({ value }) => text(value))).toEqual(values)
      expect(Buffer.from(records[0]!.headers['source']!).toString()).toBe('elsewhere')
    })
  }

  test('are read when snappy comes raw, as librdkafka writes it', async () => {
    const { decompress } = CompressionCodecs[CompressionTypes.Snappy]()
    const plain = Buffer.from(values.join('\n'))
    expect(Buffer.compare(await decompress(Buffer.from(snappy.compress(plain))), plain)).toBe(0)
  })

  test('have the framing of snappy-java when this side writes snappy', async () => {
    const { compress, decompress } = CompressionCodecs[CompressionTypes.Snappy]()
    const plain = Buffer.alloc(100_000, 'abc')
    const framed: Buffer = await compress({ buffer: plain })
    expect(framed.subarray(0, 16).toString('hex')).toBe('82534e41505059000000000100000001')
    expect(Buffer.compare(await decompress(framed), plain)).toBe(0)
  })
})
