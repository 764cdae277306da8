import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AvroType, EventSchema } from '../../schemas/event-schema.ts'
import { labelSchema } from '../../schemas/generated/fraud/label.ts'
import { outcomeSchema } from '../../schemas/generated/fraud/outcome.ts'
import { paymentSchema } from '../../schemas/generated/fraud/payment.ts'
import { scoreSchema } from '../../schemas/generated/fraud/score.ts'
import { modelRecordSchema } from '../../schemas/generated/models/model-record.ts'
import { registerSchemas } from '../../schemas/registration.ts'
import { isRejection } from '../../schemas/rejection.ts'
import { topics } from '../../schemas/topics.ts'
import { createEventCodec } from '../../streams/codec/event-codec.ts'
import { NumberMap } from '../../streams/codec/number-map.ts'
import { createLocalRegistry } from '../../streams/codec/schema-registry.ts'
import { exampleLabel, exampleModelRecord, exampleOutcome, examplePayment, exampleScore } from './example-events.ts'

const registry = createLocalRegistry()
const schemas = topics.map((topic) => topic.schema as EventSchema<object>)
const examples = new Map<EventSchema, object>([
  [paymentSchema, examplePayment],
  [labelSchema, exampleLabel],
  [scoreSchema, exampleScore],
  [outcomeSchema, exampleOutcome],
  [modelRecordSchema, exampleModelRecord],
])

/** Beyond 2^52 the reading side is not exact; events from outside are refused there. */
const anyLong = fc.maxSafeInteger().map((value) => Math.trunc(value / 2) + 0)

/** Any value of an Avro type. */
function anyOf(type: AvroType): fc.Arbitrary<unknown> {
  if (type === 'boolean') return fc.boolean()
  if (type === 'int') return fc.integer()
  if (type === 'long') return anyLong
  if (type === 'double') return fc.double()
  if (type === 'string') return fc.string({ unit: 'grapheme' })
  if (typeof type === 'string') return fc.constant(null)
  if (!('type' in type)) return fc.oneof(...type.map(anyOf))
  switch (type.type) {
    case 'long':
      return anyLong
    case 'enum':
      return fc.constantFrom(...type.symbols)
    case 'array':
      return fc.array(anyOf(type.items), { maxLength: 5 })
    case 'map':
      return fc.dictionary(
        fc.string().filter((name) => name !== '__proto__'),
        anyOf(type.values),
        { noNullPrototype: true },
      )
    case 'record':
      return fc.record(Object.fromEntries(type.fields.map((field) => [field.name, anyOf(field.type)])))
  }
}

describe.each(schemas.map((schema) => [schema.name, schema] as const))('the codec of %s', (_, schema) => {
  const codec = createEventCodec(schema, registry)

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(anyOf(schema.avro), (event) => {
        expect({ ...codec.decode(codec.encode(event as object)) }).toEqual(event)
      }),
      { numRuns: 300 },
    )
  })

  it('writes the bytes that another Avro implementation writes', () => {
    const reference = avro.Type.forSchema(schema.avro as avro.Schema)
    fc.assert(
      fc.property(anyOf(schema.avro), (event) => {
        expect(Buffer.from(codec.encode(event as object)).subarray(5)).toEqual(reference.toBuffer(event))
      }),
    )
  })

  it('gives a value or a rejection for any bytes, and never throws', () => {
    const head = Buffer.from(codec.encode(examples.get(schema)!)).subarray(0, 5)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, framed) => {
        const decoded = codec.decode(framed ? Buffer.concat([head, bytes]) : bytes)
        expect(typeof decoded).toBe('object')
      }),
      { numRuns: 2_000 },
    )
  })

  it('survives a changed byte anywhere, and any cut', () => {
    const bytes = codec.encode(examples.get(schema)!)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = byte
        expect(typeof codec.decode(changed)).toBe('object')
        expect(codec.decode(bytes.subarray(0, at))).toMatchObject({ kind: 'rejected' })
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the wire format', () => {
  it('is byte 0, the id in four bytes, and the Avro fields in order', () => {
    const codec = createEventCodec(labelSchema, registry)
    const id = registry.idOf(labelSchema)
    const bytes = codec.encode({ paymentId: 'p1', eventTime: 1_000, fraud: true, source: 'customer' })
    // 'p1': length 2 → 0x04; 1000 → zigzag 2000 → d0 0f; true → 01; the third symbol → 04
    expect(Buffer.from(bytes).toString('hex')).toBe(`00${id.toString(16).padStart(8, '0')}047031d00f0104`)
  })

  it('has one golden vector for a payment', () => {
    const bytes = createEventCodec(paymentSchema, registry).encode({
      ...examplePayment,
      latitude: null,
      longitude: null,
    })
    expect(Buffer.from(bytes).subarray(5).toString('hex')).toBe(
      `12702d31303239333834b0848be8cf580a632d3539360c742d33313536020e642d3737313230000204444500000208353431310206706f730645555214ae47e17a944c4000`,
    )
  })

  it('writes numbers by name as the record of them, whatever the names before', () => {
    const scores = createEventCodec(scoreSchema, registry)
    const longer = Array.from({ length: 1_000 }, (_, i) => `feature.${i}`)
    for (const names of [['a', 'größe'], longer, [], ['b', 'a'], longer]) {
      const values = names.map((_, i) => (i % 7 === 1 ? Number.NaN : i / 3))
      const numbers = new NumberMap(names, values)
      const features = Object.fromEntries(names.map((name, i) => [name, values[i]!]))
      expect(numbers.toRecord()).toEqual(features)
      const made = { ...exampleScore, features: numbers as unknown as Record<string, number> }
      expect(scores.encode(made)).toEqual(scores.encode({ ...exampleScore, features }))
    }
  })

  it('refuses ids that nobody registered and ids of other event types', () => {
    const payments = createEventCodec(paymentSchema, registry)
    expect(payments.decode(Buffer.from('00000003e700', 'hex'))).toMatchObject({ code: 'UNKNOWN_SCHEMA_ID' })
    expect(payments.decode(createEventCodec(labelSchema, registry).encode(exampleLabel))).toMatchObject({
      code: 'UNKNOWN_SCHEMA_ID',
    })
  })

  it('refuses counts and lengths that the bytes cannot hold, at once', () => {
    const scores = createEventCodec(scoreSchema, registry)
    const bytes = Buffer.from(
      scores.encode({ ...exampleScore, features: {}, challengers: {}, ruleHits: [], reasons: [] }),
    )
    const lists = bytes.lastIndexOf(Buffer.from([0, 0, 0, 12])) // ruleHits, reasons, features; then 'f3a91c'
    const count = Buffer.from('feffffffffffffff1f', 'hex')
    const bomb = Buffer.concat([bytes.subarray(0, lists + 2), count, bytes.subarray(lists + 3)])
    expect(scores.decode(bomb)).toMatchObject({ code: 'INVALID_AVRO' })
  })

  it('refuses bytes behind the event', () => {
    const labels = createEventCodec(labelSchema, registry)
    const decoded = labels.decode(Buffer.concat([labels.encode(exampleLabel), Buffer.from([0])]))
    expect(decoded).toMatchObject({ code: 'INVALID_AVRO' })
  })
})

describe('an event written by an older version', () => {
  const old: EventSchema<{ id: string }> = {
    name: 'thing',
    avro: { type: 'record', name: 'Thing', namespace: 'x', fields: [{ name: 'id', type: 'string' }] },
  }
  const fields = [...old.avro.fields, { name: 'size', type: ['null', 'double'] as const, default: null }]
  const current: EventSchema<{ id: string; size: number | null }> = { name: 'thing', avro: { ...old.avro, fields } }
  const before = registerSchemas([], [old])
  const after = registerSchemas(before, [current])

  it('is seen through the newest one', () => {
    const written = createEventCodec(old, createLocalRegistry(before)).encode({ id: 'a' })
    expect({ ...createEventCodec(current, createLocalRegistry(after)).decode(written) }).toEqual({
      id: 'a',
      size: null,
    })
  })

  it('waits for a remote registry only in prepare', async () => {
    const local = createLocalRegistry(after)
    const remote = { idOf: local.idOf, schemaOf: async (id: number) => local.schemaOf(id) }
    const codec = createEventCodec(current, remote)
    const written = createEventCodec(old, createLocalRegistry(before)).encode({ id: 'a' })
    expect(isRejection(codec.decode(written))).toBe(true)
    await codec.prepare(written)
    expect({ ...codec.decode(written) }).toEqual({ id: 'a', size: null })
  })
})
