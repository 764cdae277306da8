import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Payment, paymentSchema } from '../../schemas/generated/fraud/payment.ts'
import { createInputCodec } from '../../streams/codec/input-codec.ts'
import { createLocalRegistry } from '../../streams/codec/schema-registry.ts'
import { examplePayment } from './example-events.ts'

const codec = createInputCodec(paymentSchema, createLocalRegistry(), 10_000)
const json = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const decode = (value: unknown) => codec.decode(json(value))
const minimal = { paymentId: 'p1', eventTime: 5, customerId: 'c1', terminalId: 't1', amount: 3 }

describe('what producers may append', () => {
  it.each([
    ['Avro', codec.encode(examplePayment)],
    ['JSON', json(examplePayment)],
    ['JSON after a byte-order mark', json(`\ufeff ${JSON.stringify(examplePayment)}`)],
    ['Debezium, create', json({ before: null, after: examplePayment, op: 'c', ts_ms: 1, source: {} })],
    ['Debezium, snapshot', json({ before: null, after: examplePayment, op: 'r' })],
    [
      'Debezium in the Connect wrapper',
      json({ schema: {}, payload: { before: null, after: examplePayment, op: 'u' } }),
    ],
    ['a structured CloudEvent', json({ specversion: '1.0', id: '1', source: '/x', type: 'y', data: examplePayment })],
  ])('%s becomes the same event', (_, bytes) => {
    expect(codec.decode(bytes)).toEqual(examplePayment)
  })

  it('defaults, ignored extra fields, ISO times and empty optional texts', () => {
    const row = { ...minimal, eventTime: '2026-01-31T08:00:00+01:00', deviceId: '', note: 'x', constructor: 1 }
    expect(decode(row)).toMatchObject({
      eventTime: Date.UTC(2026, 0, 31, 7),
      deviceId: null,
      currency: 'EUR',
      declined: false,
    })
    expect(Object.keys(decode(row))).toEqual(paymentSchema.avro.fields.map((field) => field.name))
  })

  it('deletes and tombstones, with the former row', () => {
    expect(decode({ before: minimal, after: null, op: 'd' })).toEqual({ kind: 'deleted', before: minimal })
    expect(decode({ schema: {}, payload: null })).toEqual({ kind: 'deleted', before: null })
    expect(codec.decode(null)).toEqual({ kind: 'deleted', before: null })
  })

  it('updates, with the former row', () => {
    const change = codec.decodeChange(json({ before: { amount: 2 }, after: minimal, op: 'u' }))
    expect(change).toMatchObject({ kind: 'changed', before: { amount: 2 }, event: { amount: 3 } })
  })
})

describe('bad input has a named verdict', () => {
  it.each([
    ['EMPTY_VALUE', ''],
    ['RECORD_TOO_LARGE', { ...minimal, note: 'x'.repeat(10_000) }],
    ['INVALID_JSON', 'hello'],
    ['INVALID_JSON', '{"a":'],
    ['INVALID_JSON', `{"a":${'['.repeat(4_000)}`],
    ['INVALID_JSON', '[1]'],
    ['FIELD_MISSING', `{"a":${'['.repeat(4_000)}${']'.repeat(4_000)}}`],
    ['FIELD_MISSING', { ...minimal, customerId: undefined }],
    ['FIELD_MISSING', { ...minimal, amount: null }],
    ['FIELD_MISSING', '{"__proto__":{"paymentId":"p","eventTime":1,"customerId":"c","terminalId":"t","amount":1}}'],
    ['FIELD_INVALID', { ...minimal, customerId: 12 }],
    ['FIELD_INVALID', { ...minimal, customerId: '' }],
    ['FIELD_INVALID', { ...minimal, customerId: '\ud800' }],
    ['FIELD_INVALID', { ...minimal, amount: '3' }],
    ['FIELD_INVALID', { ...minimal, declined: 1 }],
    ['NUMBER_NOT_FINITE', { ...minimal, amount: 'NaN' }],
    ['NUMBER_NOT_FINITE', '{"paymentId":"p","amount":NaN}'],
    ['NUMBER_NOT_FINITE', '{"paymentId":"p","eventTime":1,"customerId":"c","terminalId":"t","amount":1e999}'],
    ['TIME_INVALID', { ...minimal, eventTime: 'yesterday' }],
    ['TIME_INVALID', { ...minimal, eventTime: 1.5 }],
    ['TIME_INVALID', { ...minimal, eventTime: 9e15 }],
    ['INVALID_ENVELOPE', { op: 'x', after: minimal }],
    ['INVALID_ENVELOPE', { op: 'c', after: null, before: null }],
    ['INVALID_ENVELOPE', { op: 'c', after: minimal, before: 3 }],
    ['INVALID_ENVELOPE', { schema: {}, payload: 3 }],
    ['INVALID_ENVELOPE', { specversion: '0.3', data: minimal }],
    ['INVALID_ENVELOPE', { specversion: '1.0', data: 'text' }],
  ])('%s: %j', (code, value) => {
    expect(decode(value)).toMatchObject({ kind: 'rejected', code })
  })

  it('an amount that is not finite is refused in Avro too', () => {
    expect(codec.decode(codec.encode({ ...examplePayment, amount: Number.NaN }))).toMatchObject({
      code: 'NUMBER_NOT_FINITE',
    })
  })

  it('bytes that are not UTF-8 are no JSON', () => {
    expect(codec.decode(Buffer.from([0x7b, 0xff, 0x7d]))).toMatchObject({ code: 'INVALID_JSON' })
  })

  it('prototypes stay as they are, and ids may be called __proto__', () => {
    const event = decode(
      `{"__proto__":{"admin":true},${JSON.stringify({ ...minimal, customerId: '__proto__' }).slice(1)}`,
    )
    expect(event).toMatchObject({ customerId: '__proto__' })
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype)
  })

  it('a field that names its own toString is refused like any other', () => {
    for (const eventTime of [{ toString: '' }, { toString: {}, valueOf: 1 }, [{ toJSON: 1 }]])
      expect(codec.decode(json({ ...minimal, eventTime }))).toMatchObject({ kind: 'rejected', field: 'eventTime' })
  })

  it('no JSON and no bytes make it throw; what it accepts can be written', () => {
    const anything = fc.oneof(
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ ...Object.fromEntries(Object.keys(minimal).map((k) => [k, fc.jsonValue()])) }, { requiredKeys: [] })
        .map(json),
      fc.uint8Array({ maxLength: 60 }),
    )
    fc.assert(
      fc.property(anything, (bytes) => {
        const decoded = codec.decode(bytes)
        if (!('kind' in decoded)) expect(codec.decode(codec.encode(decoded as Payment))).toEqual(decoded)
      }),
      { numRuns: 2_000 },
    )
  })
})
