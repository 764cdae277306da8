import { describe, expect, it } from 'vitest'
import type { AvroRecord, AvroType, EventSchema } from '../../schemas/event-schema.ts'
import { differences, generated } from '../../schemas/generate.ts'
import { registerSchemas } from '../../schemas/registration.ts'
import { dlqTopic, lateTopic, topicName, topics } from '../../schemas/topics.ts'
import { createLocalRegistry } from '../../streams/codec/schema-registry.ts'

describe.each(topics.map((topic) => [topic.name, topic] as const))('topic %s', (name, topic) => {
  it('is named rheo.<scenario>.<short>.v<n>', () => {
    expect(name).toMatch(/^rheo\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.v[1-9]\d*$/)
    expect(name).toBe(topicName(topic.scenario, topic.short))
    expect([dlqTopic(name), lateTopic(name)]).toEqual([`${name}.dlq`, `${name}.late`])
  })

  it('is keyed by a required text, and has an event time', () => {
    const types = new Map(topic.schema.avro.fields.map((field) => [field.name, field.type]))
    expect(types.get(topic.keyField)).toBe('string')
    expect(types.get('eventTime')).toEqual({ type: 'long', logicalType: 'timestamp-millis' })
  })

  it('has a schema that is registered, documented, and not to be mistaken for an envelope or a verdict', () => {
    expect(createLocalRegistry().idOf(topic.schema)).toBeGreaterThan(0)
    const fields = fieldsOf(topic.schema.avro)
    expect(fields.filter((field) => !field.doc).map((field) => field.name)).toEqual([])
    const reserved = ['kind', 'op', 'after', 'before', 'payload', 'schema', 'specversion', 'data', '__proto__']
    expect(topic.schema.avro.fields.filter((field) => reserved.includes(field.name))).toEqual([])
  })
})

it('names no topic twice', () => {
  expect(new Set(topics.map((topic) => topic.name)).size).toBe(topics.length)
})

describe('generated schemas', () => {
  it('are those of the .avsc files', () => {
    expect(differences(generated())).toEqual([])
  })

  it('are told apart where one line differs', () => {
    const [path, content] = [...generated()].find(([name]) => name.endsWith('label.ts'))!
    const [first] = differences(new Map([[path, content.replace('fraud: boolean', 'fraud: string')]]))
    expect(first).toContain('fraud: boolean')
  })
})

describe('registration', () => {
  const schema = (...fields: AvroRecord['fields']): EventSchema => ({
    name: 'thing',
    avro: { type: 'record', name: 'Thing', fields },
  })
  const first = registerSchemas([], [schema({ name: 'a', type: 'string' })])

  it('gives no new id when only docs and defaults change', () => {
    expect(registerSchemas(first, [schema({ name: 'a', type: 'string', doc: 'said', default: 'x' })])).toEqual(first)
  })

  it('appends a version that reads every earlier one', () => {
    const grown = registerSchemas(first, [
      schema({ name: 'a', type: 'string' }, { name: 'b', type: 'int', default: 0 }),
    ])
    expect(grown.map((entry) => entry.id)).toEqual([1, 2])
  })

  it('refuses a version that does not', () => {
    const widened = schema({ name: 'a', type: 'string' }, { name: 'b', type: 'int' })
    expect(() => registerSchemas(first, [widened])).toThrow(/can no longer read/)
  })
})

function fieldsOf(type: AvroType): AvroRecord['fields'] {
  if (typeof type === 'string') return []
  if (!('type' in type)) return type.flatMap(fieldsOf)
  switch (type.type) {
    case 'record':
      return type.fields.flatMap((field) => [field, ...fieldsOf(field.type)])
    case 'array':
      return fieldsOf(type.items)
    case 'map':
      return fieldsOf(type.values)
    default:
      return []
  }
}
