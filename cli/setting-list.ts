import { z } from 'zod'
import { parseDurationMs } from '../processors/duration.ts'
import { RheoError } from '../schemas/errors.ts'

const duration = z.string().transform((text, context) => {
  try {
    return parseDurationMs(text)
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: error instanceof RheoError ? `${error.message}. ${error.hint}` : String(error),
    })
    return z.NEVER
  }
})

/** Addresses, separated by commas; in a file also as a list. */
function addresses(form: RegExp, example: string) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given) => (typeof given === 'string' ? given.split(',') : given).map((each) => each.trim()))
    .refine((list) => list.length > 0 && list.every((each) => form.test(each)), `write ${example}`)
    .nullable()
    .default(null)
}

const text = z.string().min(1).nullable().default(null)
const onOff = z.enum(['on', 'off']).nullable().default(null)
const HOST_AND_PORT = /^(\[[\da-fA-F:.]+\]|[^\s:/@,]+):\d{1,5}$/
const REDIS_ADDRESS = /^(rediss?:\/\/(?:[^\s@/]*@)?)?(\[[\da-fA-F:.]+\]|[^\s:/@,]+)(:\d{1,5})?\/?$/

/** Every setting with its default and the default's reason. */
export const settingsSchema = z.strictObject({
  /** The scenario where a command is not told one: the first that exists. */
  scenario: z.string().min(1).default('fraud'),
  /** Where log and state live; null: `.rheo/<scenario>` in the current folder, so that projects do not mix. */
  state: text,
  /** A replay's reaction time, in event time: labels and models act on what comes a slice later. */
  slice: duration.prefault('1s'),
  /** What models run on. The CPU is there everywhere, and the fastest for small models; `auto` measures once per model. */
  provider: z.enum(['cpu', 'auto', 'webgpu', 'cuda']).default('cpu'),
  /** Records folded per commit: enough to hide the cost of a commit, few enough to keep latency low. */
  batchRecords: z.coerce.number().int().min(1).max(100_000).default(1000),

  /** null: the embedded log. */
  kafka: addresses(HOST_AND_PORT, 'the brokers as host:port, separated by commas'),
  /** null: on where a certificate is given. */
  kafkaTls: onOff,
  /** null: the authorities that Node trusts. */
  kafkaCa: text,
  kafkaCert: text,
  kafkaKey: text,
  kafkaUsername: text,
  kafkaPassword: text,
  /** SCRAM never sends the password; PLAIN does, and is refused without TLS. */
  kafkaMechanism: z.enum(['scram-sha-512', 'scram-sha-256', 'plain']).default('scram-sha-512'),
  /** kafkajs comes with Rheo; platformatic is an optional package. */
  kafkaClient: z.enum(['kafkajs', 'platformatic']).default('kafkajs'),
  /** null: what the topic has; of a new one 4 on Kafka (the most workers that can share the work), 1 embedded. */
  partitions: z.coerce.number().int().min(1).max(10_000).nullable().default(null),
  /** null: what the brokers give to new topics. */
  replication: z.coerce.number().int().min(1).max(100).nullable().default(null),

  /** null: the embedded state store. */
  redis: addresses(REDIS_ADDRESS, 'host:port or redis://host:port (rediss:// for TLS); of a cluster some of its nodes'),
  /** null: a cluster where several addresses are given. */
  redisTopology: z.enum(['single', 'cluster']).nullable().default(null),
  redisUsername: text,
  redisPassword: text,
  /** null: on for rediss://, or where a certificate is given. */
  redisTls: onOff,
  redisCa: text,
  redisCert: text,
  redisKey: text,
  /** Two installations on one Redis need two. */
  redisPrefix: z.string().min(1).default('rheo'),

  /** null: the ids that this version of Rheo carries. */
  registry: z
    .string()
    .regex(/^https?:\/\/\S+$/, 'write http://host:port or https://host:port, with the path of its Confluent API')
    .nullable()
    .default(null),
  registryUsername: text,
  registryPassword: text,
  registryCa: text,

  /** Loopback: whoever can reach the metrics learns how much business there is. */
  httpHost: z.string().min(1).default('127.0.0.1'),
  /** null: 9464, where many exporters for Prometheus listen, or the next free one: several workers on one machine. */
  httpPort: z.coerce.number().int().min(0).max(65_535).nullable().default(null),
  /** Less than the 30 s that Kubernetes and systemd wait before they kill. */
  drain: duration.prefault('25s'),
  /** null: as long as it takes. */
  giveUpAfter: duration.nullable().default(null),
  logFormat: z.enum(['auto', 'json', 'pretty']).default('auto'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})

export type Settings = z.output<typeof settingsSchema>
export type SettingName = keyof Settings
export type SettingGroup = 'Work' | 'Kafka' | 'Redis' | 'Schema registry' | 'Running'

export interface SettingNote {
  readonly group: SettingGroup
  /** What the value looks like: `<host:port,…>`. */
  readonly argument: string
  readonly about: string
  readonly byDefault: string
  /** Not shown, and given by a file rather than on the command line, which every user of a machine can read. */
  readonly secret?: true
}

/** What `--help` and `rheo config print --help` say; docs/operations.md says the same. */
export const settingNotes: Readonly<Record<SettingName, SettingNote>> = {
  scenario: work('<name>', 'whose topics, when a command is not told', 'fraud'),
  state: work('<dir>', 'folder of the embedded log and state', '.rheo/<scenario>'),
  slice: work('<duration>', "a replay's reaction time", '1s'),
  provider: work('<name>', 'what models run on: cpu, auto, webgpu, cuda', 'cpu'),
  batchRecords: work('<n>', 'records folded per commit', '1000'),

  kafka: kafka('<host:port,…>', 'brokers of the log', 'the embedded log'),
  kafkaTls: kafka('<on|off>', 'TLS to the brokers', 'on with a certificate'),
  kafkaCa: kafka('<file>', 'authority of their certificates, PEM', 'those of Node'),
  kafkaCert: kafka('<file>', 'our certificate for mutual TLS, PEM', 'none'),
  kafkaKey: { ...kafka('<file>', 'its key, PEM', 'none'), secret: true },
  kafkaUsername: kafka('<name>', 'SASL user', 'no SASL'),
  kafkaPassword: { ...kafka('<text>', 'its password', 'none'), secret: true },
  kafkaMechanism: kafka('<name>', 'scram-sha-512, scram-sha-256 or plain', 'scram-sha-512'),
  kafkaClient: kafka('<name>', 'whose connections: kafkajs, or platformatic (@platformatic/kafka)', 'kafkajs'),
  partitions: kafka('<n>', 'of new topics: as many workers can share the work', '4; embedded 1'),
  replication: kafka('<n>', 'copies of new topics', "the brokers' own"),

  redis: redis('<address,…>', 'Redis, or some nodes of a cluster', 'the embedded store'),
  redisTopology: redis('<single|cluster>', 'one server or a cluster', 'cluster if several'),
  redisUsername: redis('<name>', 'ACL user', 'default'),
  redisPassword: { ...redis('<text>', 'its password', 'none'), secret: true },
  redisTls: redis('<on|off>', 'TLS to Redis', 'on for rediss://'),
  redisCa: redis('<file>', 'authority of its certificate, PEM', 'those of Node'),
  redisCert: redis('<file>', 'our certificate, PEM', 'none'),
  redisKey: { ...redis('<file>', 'its key, PEM', 'none'), secret: true },
  redisPrefix: redis('<text>', 'what its keys start with', 'rheo'),

  registry: registry('<url>', 'Confluent-compatible registry', "this version's own ids"),
  registryUsername: registry('<name>', 'user (HTTP basic)', 'none'),
  registryPassword: { ...registry('<text>', 'its password', 'none'), secret: true },
  registryCa: registry('<file>', 'authority of its certificate, PEM', 'those of Node'),

  httpHost: running('<address>', 'where /metrics, /livez and /readyz listen', '127.0.0.1'),
  httpPort: running('<port>', 'their port; 0: any free one', '9464, or the next free one'),
  drain: running('<duration>', 'the longest that a stop may take', '25s'),
  giveUpAfter: running('<duration>', 'end after waiting so long for a server', 'never'),
  logFormat: running('<name>', 'json, pretty, or auto: pretty on a terminal', 'auto'),
  logLevel: running('<level>', 'debug, info, warn or error', 'info'),
}

export const settingNames = Object.keys(settingsSchema.shape) as SettingName[]

/** `batchRecords` → `RHEO_BATCH_RECORDS`. */
export function environmentName(name: string): string {
  return `RHEO_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** `batchRecords` → `--batch-records <n>`; of a secret, the flag that names its file. */
export function flagOf(name: SettingName): string {
  const { argument, secret } = settingNotes[name]
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  return secret ? `${flag}-file <file>` : `${flag} ${argument}`
}

function work(argument: string, about: string, byDefault: string): SettingNote {
  return { group: 'Work', argument, about, byDefault }
}
function kafka(argument: string, about: string, byDefault: string): SettingNote {
  return { group: 'Kafka', argument, about, byDefault }
}
function redis(argument: string, about: string, byDefault: string): SettingNote {
  return { group: 'Redis', argument, about, byDefault }
}
function registry(argument: string, about: string, byDefault: string): SettingNote {
  return { group: 'Schema registry', argument, about, byDefault }
}
function running(argument: string, about: string, byDefault: string): SettingNote {
  return { group: 'Running', argument, about, byDefault }
}
