import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRecord, kafkajsEncoder } from '../../streams/event-log/kafka-record-encoder.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const delta = fc.oneof(fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }), fc.integer({ min: -3, max: 200 }))
const record = fc.record({
  offsetDelta: fc.nat({ max: 100_000 }),
  timestampDelta: delta,
  key: fc.option(fc.oneof(bytes, fc.string({ unit: 'grapheme' }))),
  value: fc.option(fc.oneof(bytes, fc.string({ unit: 'grapheme' }))),
  headers: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.oneof(bytes, fc.string({ unit: 'grapheme' }))),
})

test('a record is encoded as kafkajs does it, byte for byte', () => {
  fc.assert(
    fc.property(record, (plain) => {
      const ours = encodeRecord(plain)!
      expect(ours.buffer.toString('hex')).toBe(kafkajsEncoder(plain).buffer.toString('hex'))
      expect(ours.size()).toBe(ours.buf.length)
    }),
    { numRuns: 1_000 },
  )
})

test('a record without anything is encoded as kafkajs does it', () => {
  expect(encodeRecord({})!.buffer.toString('hex')).toBe(kafkajsEncoder({}).buffer.toString('hex'))
})

test('what is rare is left to kafkajs', () => {
  expect(encodeRecord({ key: null, value: null, timestampDelta: 2 ** 30 })).toBeNull()
  expect(encodeRecord({ key: null, value: null, headers: { many: ['a', 'b'] } })).toBeNull()
})
