import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFetch } from '../../streams/event-log/kafka-fetch.ts'
import { encodeProduce, type PlainRecord } from '../../streams/event-log/kafka-produce-request.ts'
import { type KafkaRecord, RecordBatch } from '../../streams/event-log/kafka-record-batch.ts'
import { codeOf } from './harness.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const record: fc.Arbitrary<PlainRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampMs: fc.oneof(fc.nat(5_000), fc.integer({ min: 0, max: 4_000_000_000_000 })),
  headers: fc.dictionary(fc.string({ unit: 'grapheme' }), bytes),
})
const records = fc.array(record, { minLength: 1, maxLength: 200 })

/** A batch as it is sent, and as brokers keep it from `offset` on. */
function batchOf(messages: readonly PlainRecord[], offset = 0): Buffer {
  const topicData = [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }]
  const { buffer } = encodeProduce({
    acks: -1,
    timeout: 0,
    transactionalId: null,
    producerId: '77',
    producerEpoch: 0,
    topicData,
  })
  // transactional_id:2 acks:2 timeout:4 topics:4 name:2+1 partitions:4 partition:4 size:4
  const batch = Buffer.from(buffer.subarray(27))
  batch.writeBigInt64BE(BigInt(offset))
  return batch
}

function allOf(batch: RecordBatch): KafkaRecord[] {
  const found: KafkaRecord[] = []
  for (let next = batch.next(); next !== null; next = batch.next()) found.push(next)
  return found
}

const plain = ({ key, value, timestampMs, headers }: PlainRecord | KafkaRecord) => ({
  key: key === null ? null : Buffer.from(key).toString('hex'),
  value: value === null ? null : Buffer.from(value as Uint8Array).toString('hex'),
  timestampMs,
  headers: Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes as Uint8Array).toString('hex')]),
})

/** Answers of brokers, version 11, to a request for these partitions of `t`. */
function answerOf(
  partitions: readonly { readonly errorCode: number; readonly end: number; readonly bytes: Buffer }[],
): Buffer {
  const head = Buffer.alloc(21)
  head.writeInt32BE(1, 10)
  head.writeInt16BE(1, 14)
  head.write('t', 16)
  head.writeInt32BE(partitions.length, 17)
  const parts = partitions.map(({ errorCode, end, bytes }, i) => {
    const part = Buffer.alloc(42)
    part.writeInt32BE(i, 0)
    part.writeInt16BE(errorCode, 4)
    part.writeBigInt64BE(BigInt(end + 5), 6)
    part.writeBigInt64BE(BigInt(end), 14)
    part.writeInt32BE(-1, 30)
    part.writeInt32BE(-1, 34)
    part.writeInt32BE(bytes.length, 38)
    return Buffer.concat([part, bytes])
  })
  return Buffer.concat([head, ...parts])
}

describe('a batch of records', () => {
  test('is read as it was written, whatever its records hold', () => {
    fc.assert(
      fc.property(records, fc.nat(2 ** 40), (messages, offset) => {
        const batch = RecordBatch.at(batchOf(messages, offset), 0)!
        expect([batch.firstOffset, batch.lastOffset, batch.producerId]).toEqual([
          offset,
          offset + messages.length - 1,
          77n,
        ])
        const found = allOf(batch)
        expect(found.map(plain)).toEqual(messages.map(plain))
        expect(found.map(({ at }) => at)).toEqual(messages.map((_, i) => offset + i))
        expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual(
          messages.map(({ key, value }) => (key?.length ?? 0) + ((value as Uint8Array | null)?.length ?? 0)),
        )
      }),
    )
  })

  test('that is compressed is decompressed, and one stamped by the broker has its time', () => {
    const messages: PlainRecord[] = [1, 2].map((n) => ({
      key: null,
      value: Buffer.from(`${n}`),
      timestampMs: n,
      headers: {},
    }))
    const sent = batchOf(messages)
    const packed = Buffer.concat([sent.subarray(0, 61), gzipSync(sent.subarray(61))])
    packed.writeInt32BE(packed.length - 12, 8)
    packed.writeInt16BE(1 | 8, 21)
    packed.writeBigInt64BE(99n, 35)
    const found = allOf(RecordBatch.at(packed, 0)!)
    expect(found.map(({ value, timestampMs }) => [String(value), timestampMs])).toEqual([
      ['1', 99],
      ['2', 99],
    ])
  })

  test('that is cut off is left for the next answer', () => {
    const whole = batchOf([{ key: null, value: Buffer.from('a'), timestampMs: 0, headers: {} }])
    for (let length = 0; length < whole.length; length++) {
      expect(RecordBatch.at(whole.subarray(0, length), 0)).toBeNull()
    }
  })

  test('of an unknown format or compression, and a damaged one, are refused by name', async () => {
    const changed = (at: number, byte: number): Buffer => {
      const batch = batchOf([{ key: null, value: Buffer.from('a'), timestampMs: 0, headers: {} }])
      batch[at] = byte
      return batch
    }
    expect(await codeOf(() => RecordBatch.at(changed(16, 1), 0))).toBe('STORAGE_CORRUPT')
    expect(await codeOf(() => RecordBatch.at(changed(22, 7), 0)!.next())).toBe('STORAGE_CORRUPT')
    expect(await codeOf(() => RecordBatch.at(changed(61, 0x7e), 0)!.next())).toBe('STORAGE_CORRUPT')
  })
})

test('the answer to a fetch request tells of each partition apart', () => {
  const value = (text: string): PlainRecord => ({ key: null, value: Buffer.from(text), timestampMs: 0, headers: {} })
  const first = Buffer.concat([batchOf([value('a'), value('b')], 10), batchOf([value('c')], 15)])
  const cut = Buffer.concat([batchOf([value('d')], 3), batchOf([value('e')], 4).subarray(0, -1)])
  const answer = decodeFetch(
    answerOf([
      { errorCode: 0, end: 20, bytes: first },
      { errorCode: 1, end: -1, bytes: Buffer.alloc(0) },
      { errorCode: 0, end: 9, bytes: cut },
    ]),
  )
  expect(
    answer.map(({ topic, partition, errorCode, committedEnd, next, batches }) => ({
      of: `${topic}/${partition}`,
      errorCode,
      committedEnd,
      next,
      values: batches.flatMap(allOf).map((found) => `${found.at} ${found.value}`),
    })),
  ).toEqual([
    { of: 't/0', errorCode: 0, committedEnd: 20, next: 16, values: ['10 a', '11 b', '15 c'] },
    { of: 't/1', errorCode: 1, committedEnd: -1, next: null, values: [] },
    { of: 't/2', errorCode: 0, committedEnd: 9, next: 4, values: ['3 d'] },
  ])
})
