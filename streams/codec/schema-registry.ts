import { createHash } from 'node:crypto'
import { RheoError } from '../../schemas/errors.ts'
import { type EventSchema, fullName } from '../../schemas/event-schema.ts'
import { registeredSchemas } from '../../schemas/generated/registered.ts'
import type { RegisteredSchema } from '../../schemas/registered-schema.ts'
import { canonicalText } from '../../schemas/registration.ts'
import type { MaybePromise } from '../event-log/event-log.ts'

/** Which id stands for which schema in front of an encoded event. */
export interface SchemaRegistry {
  /** The id that writers put in front. Throws SCHEMA_INCOMPATIBLE for a schema that nobody registered. */
  idOf(schema: EventSchema): number
  /** The schema that an id stands for; undefined when there is none. A remote registry answers with a promise. */
  schemaOf(id: number): MaybePromise<RegisteredSchema | undefined>
}

/**
 * The registry of the embedded mode: the list that `schemas/` carries, ids 1, 2, … in the order of registration.
 *
 * @param own schemas of a scenario of one's own. One that is not in the list gets an id from its content, far above
 *   those of the list, so that it is the same in every process and in every later version of Rheo.
 */
export function createLocalRegistry(
  registered: readonly RegisteredSchema[] = registeredSchemas,
  own: readonly EventSchema[] = [],
): SchemaRegistry {
  const byId = new Map(registered.map((entry) => [entry.id, entry]))
  const idByText = new Map(registered.map((entry) => [entry.avro, entry.id]))
  for (const schema of own) {
    const avro = canonicalText(schema)
    if (idByText.has(avro)) continue
    const id = contentId(avro)
    const taken = byId.get(id)
    if (taken !== undefined) {
      throw new RheoError('SCHEMA_INCOMPATIBLE', `${fullName(schema)} and ${taken.fullName} have the same id ${id}`, {
        hint: 'Rename a field of one of them, or register both with `registerSchemas`.',
      })
    }
    byId.set(id, { id, fullName: fullName(schema), avro })
    idByText.set(avro, id)
  }
  return {
    idOf(schema) {
      const id = idByText.get(canonicalText(schema))
      if (id === undefined) {
        throw new RheoError('SCHEMA_INCOMPATIBLE', `${fullName(schema)} is not registered in this version`, {
          hint: 'Run `npm run schemas`, which registers changed schemas.',
        })
      }
      return id
    },
    schemaOf: (id) => byId.get(id),
  }
}

/** 2^30 to 2^31 − 1, by SHA-256 of the canonical text. */
function contentId(avro: string): number {
  return 2 ** 30 + (createHash('sha256').update(avro).digest().readUInt32BE(0) >>> 2)
}
