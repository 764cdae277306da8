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
 * A scenario of your own passes its own list, made by `registerSchemas`.
 */
export function createLocalRegistry(registered: readonly RegisteredSchema[] = registeredSchemas): SchemaRegistry {
  const byId = new Map(registered.map((entry) => [entry.id, entry]))
  const idByText = new Map(registered.map((entry) => [entry.avro, entry.id]))
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
