import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BodyCodec, type Entry, FEEDBACK, WATERMARK } from '../../processors/step.ts'
import { Block, unpack } from '../../streams/packing.ts'

const json: BodyCodec = {
  encode: (body) => Buffer.from(JSON.stringify(body)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
}
const codecs = new Map([
  ['payment', json],
  ['__proto__', json],
])

const key = fc.string({ unit: 'grapheme', maxLength: 40 })
const timeMs = fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constant(Number.NEGATIVE_INFINITY))
const channel = fc.oneof(fc.constant(FEEDBACK), fc.nat(), fc.constantFrom(0, 65_536, 2 ** 31))
const features = fc.option(fc.float64Array({ maxLength: 70 }))
const plain = { noNullPrototype: true }
const hop = fc.record({ stage: key, takenMs: fc.integer() }, plain)
const origin = fc.option(
  fc.record(
    {
      arrivedMs: fc.integer(),
      traceparent: fc.option(fc.string({ minLength: 1 })),
      hops: fc.array(hop, { maxLength: 3 }),
    },
    plain,
  ),
)
const event: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constantFrom('payment', '__proto__'),
    key,
    eventTimeMs: timeMs,
    watermarkMs: timeMs,
    channel,
    body: fc.dictionary(key, fc.oneof(key, fc.integer()), plain),
    features,
    origin,
  },
  plain,
)
const watermark: fc.Arbitrary<Entry> = fc.record(
  {
    kind: fc.constant(WATERMARK),
    key: fc.constant(''),
    eventTimeMs: timeMs,
    watermarkMs: timeMs,
    channel,
    body: fc.constant(null),
    features: fc.constant(null),
    origin: fc.constant(null),
  },
  plain,
)
const entries = fc.array(fc.oneof(event, watermark), { maxLength: 50 })

test('unpacking the bytes of a block gives back its entries, NaN and -0 included', () => {
  fc.assert(
    fc.property(entries, (packed) => {
      expect(unpack(new Block(packed, codecs).bytes(), codecs)).toStrictEqual(packed)
    }),
  )
})

test('a block passes within a process as it is, and gives the same bytes at every call', () => {
  fc.assert(
    fc.property(entries, (packed) => {
      const block = new Block(packed, codecs)
      expect(unpack(block, codecs)).toBe(packed)
      expect(Buffer.compare(block.bytes(), block.bytes())).toBe(0)
    }),
  )
})

test('a block of another version and a kind without a codec are refused by name', () => {
  expect(() => unpack(Buffer.from([1, 0]), codecs)).toThrow('block version 1')
  const bytes = new Block(
    [{ kind: 'payment', key: '', eventTimeMs: 0, watermarkMs: 0, channel: 0, body: 1, features: null }],
    codecs,
  ).bytes()
  expect(() => unpack(bytes, new Map())).toThrow('"payment"')
})
