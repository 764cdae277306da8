import avro from 'avsc'
import { RheoError } from './errors.ts'
import { type EventSchema, fullName } from './event-schema.ts'
import type { RegisteredSchema } from './registered-schema.ts'

/**
 * Adds the schemas whose newest registered version says something else. What only readers use (docs, defaults)
 * needs no new id. Throws SCHEMA_INCOMPATIBLE where the new version cannot read every earlier one of its name
 * (BACKWARD_TRANSITIVE: a replay reads old events with new code).
 */
export function registerSchemas(
  registered: readonly RegisteredSchema[],
  schemas: readonly EventSchema[],
): readonly RegisteredSchema[] {
  const grown = [...registered]
  for (const schema of schemas) {
    const name = fullName(schema)
    const text = canonicalText(schema)
    const versions = grown.filter((version) => version.fullName === name)
    if (versions.at(-1)?.avro === text) continue
    const reader = typeOf(schema.avro)
    for (const version of versions) assertReads(reader, version)
    grown.push({ id: grown.length + 1, fullName: name, avro: text })
  }
  return grown
}

/** Avro's parsing canonical form: what writers and readers must agree on, without docs and defaults. */
export function canonicalText(schema: EventSchema): string {
  return JSON.stringify(typeOf(schema.avro).schema())
}

function assertReads(reader: avro.Type, version: RegisteredSchema): void {
  try {
    reader.createResolver(typeOf(JSON.parse(version.avro)))
  } catch (cause) {
    throw new RheoError(
      'SCHEMA_INCOMPATIBLE',
      `${version.fullName} can no longer read its version with id ${version.id}`,
      {
        hint: 'Give new fields a default, and neither rename fields nor change their type; otherwise start a new event type.',
        cause,
      },
    )
  }
}

function typeOf(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema)
}
