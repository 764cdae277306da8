import avro from 'avsc'
import type { EventSchema } from '../../schemas/event-schema.ts'

/**
 * Which field keeps `schema` from reading what was written with `writer` (Avro JSON text), and why; null where no
 * field of the outermost record does.
 */
export function incompatibleField(schema: EventSchema, writer: string): string | null {
  const written = avro.Type.forSchema(JSON.parse(writer) as avro.Schema)
  if (!avro.Type.isType(written, 'record')) return null
  const before = new Map((written as avro.types.RecordType).fields.map((field) => [field.name, field.type]))
  const reader = avro.Type.forSchema(schema.avro as unknown as avro.Schema) as avro.types.RecordType
  for (const field of reader.fields) {
    const type = before.get(field.name)
    if (type === undefined) {
      if (!schema.avro.fields.some(({ name, default: value }) => name === field.name && value !== undefined))
        return `the field "${field.name}" is new and has no default`
    } else if (!reads(field.type, type)) {
      return `the field "${field.name}" was ${textOf(type)} and is ${textOf(field.type)}`
    }
  }
  return null
}

function reads(reader: avro.Type, writer: avro.Type): boolean {
  try {
    reader.createResolver(writer)
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}

function textOf(type: avro.Type): string {
  return JSON.stringify(type.schema())
}
