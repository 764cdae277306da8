import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { speedUpKafkajs } from '../../streams/event-log/kafka-kafkajs-speed.ts'
import type { KafkaRequest } from '../../streams/event-log/kafka-link.ts'
import { encodeProduce, type ProduceData } from '../../streams/event-log/kafka-produce-request.ts'

const require = createRequire(import.meta.url)
const kafkajsProduce = require('kafkajs/src/protocol/requests/produce/v3/request') as (
  data: object,
) => KafkaRequest<object>['request']

/** The request as kafkajs itself encodes it. */
function theirs(data: ProduceData): Promise<{ readonly buffer: Buffer }> {
  const topicData = data.topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((each) => ({
      ...each,
      messages: each.messages.map(({ timestampMs, ...record }) => ({ ...record, timestamp: String(timestampMs) })),
    })),
  }))
  return kafkajsProduce({ ...data, topicData }).encode()
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme' })
/** Thirteen digits each: kafkajs finds the first time by sorting them as text. */
const time = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_300 }),
  fc.integer({ min: 1_000_000_000_000, max: 2_000_000_000_000 }),
)
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampMs: time,
  headers: fc.dictionary(text, fc.oneof(bytes, text)),
})
const partition = fc.record({
  partition: fc.nat(1_000),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: fc.array(record, { minLength: 1, maxLength: 70 }),
})
const request: fc.Arbitrary<ProduceData> = fc.record({
  acks: fc.constant(-1),
  timeout: fc.nat(60_000),
  transactionalId: fc.option(fc.string({ unit: 'grapheme', minLength: 1 })),
  producerId: fc.nat(2 ** 40).map(String),
  producerEpoch: fc.nat(2 ** 15 - 1),
  topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 3 }),
})

test('a produce request is encoded as kafkajs does it, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (data) => {
      const ours = encodeProduce(data)
      expect(ours.buffer.toString('hex')).toBe((await theirs(data)).buffer.toString('hex'))
      expect(ours.size()).toBe(ours.buf.length)
    }),
    { numRuns: 300 },
  )
})

test('a whole request is what kafkajs sends, its head in front of the body', async () => {
  const wrap = require('kafkajs/src/protocol/request') as (request: object) => Promise<{ readonly buffer: Buffer }>
  const sent = async (clientId: string, encode: () => unknown): Promise<string> => {
    const request = { apiKey: 0, apiVersion: 7, encode }
    return (await wrap({ correlationId: 3, clientId, request })).buffer.toString('hex')
  }
  const [data] = fc.sample(request, 1)
  speedUpKafkajs()
  for (const clientId of ['rheo', 'r'.repeat(2_000)]) {
    expect(await sent(clientId, () => encodeProduce(data!))).toBe(await sent(clientId, () => theirs(data!)))
  }
})
