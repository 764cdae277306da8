import { createRequire } from 'node:module'
import { zstdCompressSync } from 'node:zlib'
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decompress } from '../../streams/event-log/kafka-codecs.ts'
import { readAll, text, topicSpec } from '../event-log/harness.ts'
import { BROKER, needBroker, openTestLog, uniqueName } from './kafka-broker.ts'

const require = createRequire(import.meta.url)
const snappy = require('snappyjs') as { compress(bytes: Uint8Array): Uint8Array }
const lz4 = require('lz4-napi') as { compressFrameSync(bytes: Buffer): Buffer }

/** Snappy as snappy-java frames it: its magic, version 1, compatible version 1, then blocks of (int32 length, raw snappy). */
function framedSnappy(bytes: Buffer): Buffer {
  const parts: Uint8Array[] = [Buffer.from('82534e41505059000000000100000001', 'hex')]
  for (let at = 0; at < bytes.length; at += 32_768) {
    const block = snappy.compress(bytes.subarray(at, at + 32_768))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.byteLength)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

/** The compressions that kafkajs lacks, for the producer of this test. */
const compressions: [keyof typeof CompressionCodecs, (bytes: Buffer) => Uint8Array][] = [
  [CompressionTypes.Snappy, framedSnappy],
  [CompressionTypes.LZ4, (bytes) => lz4.compressFrameSync(bytes)],
  [CompressionTypes.ZSTD, (bytes) => zstdCompressSync(bytes)],
]
for (const [type, compress] of compressions) {
  CompressionCodecs[type] = () => ({
    compress: async ({ buffer }: { readonly buffer: Buffer }) => Buffer.from(compress(buffer)),
    decompress: async (bytes: Buffer) => bytes,
  })
}

const log = openTestLog()
beforeAll(() => needBroker())
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

  test('are read when snappy comes raw, as librdkafka writes it', () => {
    const plain = Buffer.from(values.join('\n'))
    expect(decompress(CompressionTypes.Snappy, Buffer.from(snappy.compress(plain))).equals(plain)).toBe(true)
  })
})
