import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../scenarios/output-file.ts'
import { RheoError } from '../schemas/errors.ts'
import type { RegistryOptions } from '../streams/codec/registry.ts'
import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { KafkaConnection } from '../streams/event-log/kafka-connection.ts'
import type { SqliteOptions } from '../streams/event-log/sqlite-file.ts'
import type { Membership } from '../streams/membership.ts'
import type { StateStore } from '../streams/state/state-store.ts'
import type { Topology } from '../streams/topology.ts'
import { localRegistry, topicsOf } from './catalogue.ts'
import type { Place } from './place.ts'
import { kafkaConnectionOf, redisOptionsOf, registryOptionsOf } from './server-options.ts'

type KafkaPatience = Pick<KafkaConnection, 'requestTimeoutMs'>

/** One process works on an embedded log, so one partition serves it: a replay makes its topics so. */
const EMBEDDED_PARTITIONS = 1

/**
 * The log of a command that reads: Kafka, or the embedded log of a folder that has one. Throws LOG_UNAVAILABLE with the
 * way to make one where there is none, AUTH_FAILED, CONFIG_INVALID.
 */
export async function openLog(place: Place, patience: KafkaPatience = {}): Promise<EventLog> {
  if (place.settings.kafka !== null) return openKafka(place, patience)
  const file = join(place.directory, 'log.sqlite')
  if (!existsSync(file)) throw nothingThere(place.directory, 'log')
  return openEmbeddedLog(place)
}

/** The log of a command that appends: makes folder and file where they are missing. */
export async function openOrCreateLog(place: Place): Promise<EventLog> {
  if (place.settings.kafka !== null) return openKafka(place)
  makeFolder(place.directory)
  return openEmbeddedLog(place)
}

/** The log of a process that scores: makes what is missing. */
export async function openWorkerLog(place: Place): Promise<EventLog> {
  if (place.settings.kafka !== null) return openKafka(place)
  makeFolder(place.directory)
  return openEmbeddedLog(place, { checkpoints: 'background' })
}

/** The state as others have left it: Redis, or the store beside the embedded log. Throws STATE_UNAVAILABLE where there is none. */
export async function openState(place: Place): Promise<StateStore> {
  if (place.settings.redis !== null) return openRedis(place)
  const file = join(place.directory, 'state.sqlite')
  if (!existsSync(file)) throw nothingThere(place.directory, 'state')
  const { openSqliteStateStore } = await import('../streams/state/sqlite.ts')
  return openSqliteStateStore(file)
}

/** The state store of a process that scores: makes what is missing. */
export async function openWorkerState(place: Place): Promise<StateStore> {
  if (place.settings.redis !== null) return openRedis(place)
  makeFolder(place.directory)
  const { openSqliteStateStore } = await import('../streams/state/sqlite.ts')
  return openSqliteStateStore(join(place.directory, 'state.sqlite'), { checkpoints: 'background' })
}

/** Which id stands for which schema: a registry's, where the catalogue's schemas are registered, or this version's own. */
export async function openRegistry(place: Place): Promise<SchemaRegistry> {
  return (await openServedRegistry(place, topicsOf(place.scenario))) ?? localRegistry(place.scenario)
}

/** The registry of the settings, with the schemas of these topics registered; null where the settings name none. */
export async function openServedRegistry(
  { settings }: Place,
  flowing: RegistryOptions['topics'],
): Promise<SchemaRegistry | null> {
  const options = registryOptionsOf(settings)
  if (options === null) return null
  const { openSchemaRegistry } = await import('../streams/codec/registry.ts')
  return openSchemaRegistry({ ...options, topics: flowing })
}

/** Those of these topics whose schema the registry of the settings does not have; it is only asked. */
export async function topicsNotRegistered(
  { settings }: Place,
  flowing: RegistryOptions['topics'],
): Promise<readonly string[]> {
  const { missingSchemas } = await import('../streams/codec/registry.ts')
  return missingSchemas({ ...registryOptionsOf(settings)!, topics: flowing })
}

/** How the workers on Kafka share the tasks of a topology; null: this process runs all of them. */
export async function openMembership({ settings }: Place, topology: Topology): Promise<Membership | null> {
  const connection = kafkaConnectionOf(settings)
  if (connection === null) return null
  const { createKafkaMembership } = await import('../streams/event-log/kafka-membership.ts')
  const { scenario, partitions } = topology
  const read = [...topology.sources, ...topology.stages].map(({ topic }) => topic)
  return createKafkaMembership({ connection, group: `rheo-${scenario}`, topics: read, partitions })
}

/** Partitions of topics that are not there yet. */
export function newPartitions({ settings }: Place, byDefault: number): number {
  return settings.partitions ?? (settings.kafka === null ? EMBEDDED_PARTITIONS : byDefault)
}

async function openEmbeddedLog({ directory }: Place, options: SqliteOptions = {}): Promise<EventLog> {
  const { openSqliteLog } = await import('../streams/event-log/sqlite.ts')
  return openSqliteLog(join(directory, 'log.sqlite'), options)
}

async function openKafka({ settings }: Place, patience: KafkaPatience = {}): Promise<EventLog> {
  const { openKafkaLog } = await import('../streams/event-log/kafka.ts')
  const { replication } = settings
  const connection = { ...kafkaConnectionOf(settings)!, ...patience }
  return openKafkaLog(connection, replication === null ? {} : { replicationFactor: replication })
}

async function openRedis({ settings }: Place): Promise<StateStore> {
  const { openRedisStateStore } = await import('../streams/state/redis.ts')
  return openRedisStateStore(redisOptionsOf(settings)!)
}

function nothingThere(directory: string, what: 'log' | 'state'): RheoError {
  return new RheoError(
    what === 'log' ? 'LOG_UNAVAILABLE' : 'STATE_UNAVAILABLE',
    `there is no ${what} in ${directory}`,
    {
      hint: 'Make one with `rheo replay fraud --demo` (then add --state .rheo/demo), or name its folder with --state.',
    },
  )
}
