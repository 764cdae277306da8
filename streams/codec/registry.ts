import { Agent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { COMPATIBILITY, SchemaRegistry as RegistryClient, SchemaType } from '@kafkajs/confluent-schema-registry'
import avro from 'avsc'
import { RheoError } from '../../schemas/errors.ts'
import { type EventSchema, fullName } from '../../schemas/event-schema.ts'
import type { RegisteredSchema } from '../../schemas/registered-schema.ts'
import { canonicalText } from '../../schemas/registration.ts'
import { answeredStatus, translateRegistry } from './registry-failures.ts'
import { incompatibleField } from './registry-incompatibility.ts'
import type { SchemaRegistry } from './schema-registry.ts'

export interface RegistryOptions {
  /** With the path of its Confluent API; Apicurio: `http://127.0.0.1:8080/apis/ccompat/v7`. */
  readonly url: string
  /** What flows on which topic: registered under the subject `<topic>-value`. */
  readonly topics: readonly { readonly name: string; readonly schema: EventSchema }[]
  readonly username?: string
  readonly password?: string
  /** PEM text of the authority to trust, for https; without it, the system's. */
  readonly ca?: string
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5_000
/** Between the registration of a new subject and its level lie two requests. */
const LEVEL_SET_WITHIN_MS = 2_000
const LOOK_AGAIN_MS = 100
/** Within one call; the run loop goes on trying. */
const RETRIES = { retries: 2, initialRetryTimeInSecs: 0.05, maxRetryTimeInSecs: 1 }
/** How long an id that the registry does not know is not asked for again. Ids are given out in turn: it may come to be. */
const UNKNOWN_FOR_MS = 1_000
/** Unknown ids kept in mind; bytes that only look framed bring any of 2^32. */
const MOST_UNKNOWN = 1_000
const MOST_VERSIONS = 100
/** Levels of a subject at which new code reads old data. */
const LEVELS: readonly string[] = [COMPATIBILITY.BACKWARD_TRANSITIVE, COMPATIBILITY.FULL_TRANSITIVE]
const NO_RECORD = 'schema of something else than an Avro record'

type Known = RegisteredSchema | undefined

/**
 * A Confluent-compatible schema registry. Registers the schemas of all topics, each subject with BACKWARD_TRANSITIVE,
 * since a replay reads old data with new code, and fetches their former versions: stored state holds events of these, and is
 * decoded at once. Other writers' ids are looked up as they come, once each.
 *
 * Throws REGISTRY_UNAVAILABLE (retryable; also `schemaOf`), AUTH_FAILED, SCHEMA_INCOMPATIBLE with the field that breaks
 * it, CONFIG_INVALID where a subject has a weaker compatibility level.
 */
export async function openSchemaRegistry(options: RegistryOptions): Promise<SchemaRegistry> {
  const { url } = options
  const client = clientOf(options)
  const idByText = new Map<string, number>()
  for (const { name, schema } of options.topics) {
    const id = await register(client, url, `${name}-value`, schema)
    if (!idByText.has(canonicalText(schema))) idByText.set(canonicalText(schema), id)
  }
  const byId = new Map<number, RegisteredSchema>()
  try {
    const former = await Promise.all(options.topics.map(({ name }) => versionsOf(client, `${name}-value`)))
    for (const schema of former.flat()) byId.set(schema.id, schema)
  } catch (error) {
    throw translateRegistry(error, url)
  }
  const asked = new Map<number, Promise<Known>>()
  const unknownUntilMs = new Map<number, number>()

  async function ask(id: number): Promise<Known> {
    try {
      const found = await lookUp(client, id)
      byId.set(id, found)
      return found
    } catch (error) {
      if (answeredStatus(error) !== 404) throw translateRegistry(error, url)
      if (unknownUntilMs.size >= MOST_UNKNOWN) unknownUntilMs.clear()
      unknownUntilMs.set(id, performance.now() + UNKNOWN_FOR_MS)
      return undefined
    } finally {
      asked.delete(id)
    }
  }

  return {
    idOf(schema) {
      const id = idByText.get(canonicalText(schema))
      if (id === undefined) {
        throw new RheoError('SCHEMA_INCOMPATIBLE', `${fullName(schema)} was not registered at ${url}`, {
          hint: 'Name its topic when the registry is opened.',
        })
      }
      return id
    },
    schemaOf(id) {
      const known = byId.get(id)
      if (known !== undefined || (unknownUntilMs.get(id) ?? 0) > performance.now()) return known
      let answer = asked.get(id)
      if (answer === undefined) {
        answer = ask(id)
        asked.set(id, answer)
        answer.catch(() => undefined) // a caller that only wanted to know whether it is there does not wait
      }
      return answer
    },
  }
}

/**
 * The topics whose schema the registry does not have yet. Only asks: nothing is registered. Throws as `openSchemaRegistry`
 * does.
 */
export async function missingSchemas(options: RegistryOptions): Promise<readonly string[]> {
  const { url, topics } = options
  const client = clientOf(options)
  const { Subject } = client['api']
  const missing: string[] = []
  for (const { name, schema } of topics) {
    const subject = `${name}-value`
    try {
      const config = (await known(Subject.config({ subject }))) as Answer<{ compatibilityLevel: string }> | null
      const level = config?.data().compatibilityLevel
      if (level !== undefined && !LEVELS.includes(level)) throw weakerLevel(subject, level, url)
      const body = { schema: JSON.stringify(schema.avro) }
      if ((await known(Subject.registered({ subject, body }))) !== null) continue
      const field = await breakingField(client, subject, schema)
      if (field !== null) throw unreadable(schema, subject, field)
    } catch (error) {
      throw translateRegistry(error, url)
    }
    missing.push(name)
  }
  return missing
}

interface Answer<Data> {
  data(): Data
}

/** null where the registry answers that it has no such thing. */
async function known<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (answeredStatus(error) === 404) return null
    throw error
  }
}

function clientOf({ url, username, password, ca, timeoutMs = TIMEOUT_MS }: RegistryOptions): RegistryClient {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new RheoError('CONFIG_INVALID', `"${url}" is no address of a schema registry`, {
      hint: 'Write http://host:port/path or https://host:port/path.',
    })
  }
  return new RegistryClient({
    host: url.replace(/\/+$/, ''),
    clientId: 'rheo',
    retry: RETRIES,
    ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
    ...(ca === undefined ? {} : { agent: new Agent({ ca }) }),
    middlewares: [() => ({ prepareRequest: async (next) => (await next()).enhance({ timeout: timeoutMs }) })],
  })
}

async function register(client: RegistryClient, url: string, subject: string, schema: EventSchema): Promise<number> {
  const confluent = { type: SchemaType.AVRO, schema: JSON.stringify(schema.avro) } as const
  try {
    return await registerAtLevel(client, url, subject, confluent)
  } catch (error) {
    if (error instanceof RheoError) throw error
    if (answeredStatus(error) !== 409) throw translateRegistry(error, url)
    const field = await breakingField(client, subject, schema)
    throw unreadable(schema, subject, field ?? (error as Error).message, error)
  }
}

/** A weaker level may be another process's subject that has just come to be, and gets its level next; only one can set it. */
async function registerAtLevel(
  client: RegistryClient,
  url: string,
  subject: string,
  schema: { readonly type: SchemaType.AVRO; readonly schema: string },
): Promise<number> {
  const untilMs = performance.now() + LEVEL_SET_WITHIN_MS
  let compatibility = COMPATIBILITY.BACKWARD_TRANSITIVE
  for (;;) {
    try {
      return (await client.register(schema, { subject, compatibility })).id
    } catch (error) {
      const isOver = performance.now() > untilMs
      if (error instanceof Error && error.name === 'ConfluentSchemaRegistryCompatibilityError') {
        const level = /!= (\w+)\)/.exec(error.message)?.[1]
        if (level === COMPATIBILITY.FULL_TRANSITIVE) compatibility = level
        else if (isOver) throw weakerLevel(subject, level, url, error)
      } else if (isOver || answeredStatus(error) !== 409 || !isAboutLevel(error)) throw error
      await sleep(LOOK_AGAIN_MS)
    }
  }
}

/** All versions of a subject that there are, the newest apart where it is the only one. */
async function versionsOf(client: RegistryClient, subject: string): Promise<RegisteredSchema[]> {
  const latest = (await client['api'].Subject.latestVersion({ subject })) as Answer<{ version: number }>
  const { version: newest } = latest.data()
  const versions: RegisteredSchema[] = []
  if (newest === 1) return versions
  for (let version = Math.max(1, newest - MOST_VERSIONS); version <= newest; version++) {
    const id = await known(client.getRegistryId(subject, version))
    if (id !== null) versions.push(await lookUp(client, id))
  }
  return versions
}

/** The field that keeps the schema from reading one of the subject's versions, with that version. */
async function breakingField(client: RegistryClient, subject: string, schema: EventSchema): Promise<string | null> {
  for (let version = 1; version <= MOST_VERSIONS; version++) {
    try {
      const written = await lookUp(client, await client.getRegistryId(subject, version))
      const field = incompatibleField(schema, written.avro)
      if (field !== null) return `since version ${version}, ${field}`
    } catch (error) {
      if (answeredStatus(error) !== null) return null
      throw error
    }
  }
  return null
}

/** The schema with this id; one that is no Avro record under a name that no event type has. */
async function lookUp(client: RegistryClient, id: number): Promise<RegisteredSchema> {
  const type = await client.getSchema(id).catch((error: unknown) => {
    if (error instanceof Error && 'status' in error) throw error // the registry's answer, or none; else the schema is broken
    return null
  })
  if (!avro.Type.isType(type, 'record')) return { id, fullName: NO_RECORD, avro: '"null"' }
  const record = type as avro.types.RecordType
  return { id, fullName: record.name ?? NO_RECORD, avro: JSON.stringify(record.schema()) }
}

/** Of answers of the registry: what was asked stands in the error. */
function isAboutLevel(error: unknown): boolean {
  return /\/config\//.test(String((error as { readonly url?: unknown }).url))
}

function unreadable(schema: EventSchema, subject: string, why: string, cause?: unknown): RheoError {
  return new RheoError('SCHEMA_INCOMPATIBLE', `${fullName(schema)} cannot read every version of ${subject}: ${why}`, {
    hint: 'Give new fields a default, and neither rename fields nor change their type; otherwise start a new topic.',
    cause,
  })
}

function weakerLevel(subject: string, level: string | undefined, url: string, cause?: unknown): RheoError {
  return new RheoError('CONFIG_INVALID', `The subject ${subject} has the compatibility level ${level}.`, {
    hint: `Rheo reads old data with new code: PUT {"compatibility":"BACKWARD_TRANSITIVE"} to ${url}/config/${subject}.`,
    cause,
  })
}
