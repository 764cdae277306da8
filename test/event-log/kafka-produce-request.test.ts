import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  encodeProduce,
  kafkajsProduce,
  type ProduceData,
  speedUpProducing,
} from '../../streams/event-log/kafka-produce-request.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme' })
const either = fc.oneof(bytes, text)
/** Thirteen digits each: kafkajs finds the first time by sorting them as text. */
const time = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_300 }),
  fc.integer({ min: 1_000_000_000_000, max: 2_000_000_000_000 }),
)
const record = fc.record({
  key: fc.option(either),
  value: fc.option(either),
  timestamp: time.map(String),
  headers: fc.option(fc.dictionary(text, fc.oneof(either, fc.array(either, { minLength: 1, maxLength: 3 }))), {
    nil: undefined,
  }),
})
const partition = fc.record({
  partition: fc.nat(1_000),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: fc.array(record, { minLength: 1, maxLength: 70 }),
})
const request = fc.record({
  acks: fc.constant(-1),
  timeout: fc.nat(60_000),
  transactionalId: fc.option(fc.string({ unit: 'grapheme', minLength: 1 })),
  producerId: fc.nat(2 ** 40).map(String),
  producerEpoch: fc.nat(2 ** 15 - 1),
  topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 3 }),
}) as fc.Arbitrary<ProduceData>

test('a produce request is encoded as kafkajs does it, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (data) => {
      const theirs = await kafkajsProduce(data).encode()
      const ours = encodeProduce(data)
      expect(ours.buffer.toString('hex')).toBe(theirs.buffer.toString('hex'))
      expect(ours.size()).toBe(ours.buf.length)
    }),
    { numRuns: 300 },
  )
})

test('a whole request is what kafkajs sends, its head in front of the body', async () => {
  const wrap = createRequire(import.meta.url)('kafkajs/src/protocol/request') as (request: object) => Promise<{
    readonly buffer: Buffer
  }>
  const sent = async (clientId: string, encode: () => unknown): Promise<string> => {
    const request = { apiKey: 0, apiVersion: 7, encode }
    return (await wrap({ correlationId: 3, clientId, request })).buffer.toString('hex')
  }
  const [data] = fc.sample(request, 1)
  speedUpProducing()
  for (const clientId of ['rheo', 'r'.repeat(2_000)]) {
    const theirs = await sent(clientId, () => kafkajsProduce(data!).encode())
    expect(await sent(clientId, () => encodeProduce(data!))).toBe(theirs)
  }
})

test('records without anything, and a producer without an id', async () => {
  const topicData = [{ topic: 't', partitions: [{ partition: 0, messages: [{ timestamp: '1700000000000' }, {}] }] }]
  const data = {
    acks: 1,
    timeout: 0,
    topicData: [
      {
        ...topicData[0]!,
        partitions: [{ partition: 0, messages: [{ timestamp: '1700000000000', key: null, value: null }] }],
      },
    ],
  }
  expect(encodeProduce(data).buffer.toString('hex')).toBe((await kafkajsProduce(data).encode()).buffer.toString('hex'))
  expect(encodeProduce({ acks: 1, timeout: 0, topicData }).size()).toBeGreaterThan(data.topicData.length)
})
