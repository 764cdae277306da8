import { describe, expect, it } from 'vitest'
import type { EventSchema } from '../../schemas/event-schema.ts'
import { registeredSchemas } from '../../schemas/generated/registered.ts'
import { canonicalText } from '../../schemas/registration.ts'
import { createEventCodec } from '../../streams/codec/event-codec.ts'
import { createLocalRegistry } from '../../streams/codec/schema-registry.ts'

const order = (fields: readonly string[]): EventSchema<Record<string, string>> => ({
  name: 'order',
  avro: {
    type: 'record',
    name: 'Order',
    namespace: 'shop',
    fields: fields.map((name) => ({ name, type: 'string', ...(name === 'note' ? { default: '' } : {}) })),
  },
})

describe('a schema of a scenario of one’s own', () => {
  it('has an id of its content, the same whatever else is registered, far above the list', () => {
    const schema = order(['orderId'])
    const id = createLocalRegistry(registeredSchemas, [schema]).idOf(schema)
    expect(createLocalRegistry([], [order(['orderId', 'note']), schema]).idOf(schema)).toBe(id)
    expect(id).toBeGreaterThanOrEqual(2 ** 30)
    expect(
      createLocalRegistry(registeredSchemas, [order(['orderId', 'note'])]).idOf(order(['orderId', 'note'])),
    ).not.toBe(id)
    expect(() => createLocalRegistry().idOf(schema)).toThrow('shop.Order is not registered')
  })

  it('reads events of a former version that is listed', () => {
    const [before, now] = [order(['orderId']), order(['orderId', 'note'])]
    const old = createLocalRegistry(registeredSchemas, [before])
    const bytes = createEventCodec(before, old).encode({ orderId: 'o1' })
    expect(createEventCodec(now, createLocalRegistry([], [now])).decode(bytes)).toMatchObject({
      code: 'UNKNOWN_SCHEMA_ID',
    })
    const listed = { id: old.idOf(before), fullName: 'shop.Order', avro: canonicalText(before) }
    expect(createEventCodec(now, createLocalRegistry([listed], [now])).decode(bytes)).toEqual({
      orderId: 'o1',
      note: '',
    })
  })
})
