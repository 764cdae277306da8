import { readFileSync } from 'node:fs'
import { RheoError } from '../schemas/errors.ts'
import type { RegistryOptions } from '../streams/codec/registry.ts'
import type { KafkaConnection, KafkaTls } from '../streams/event-log/kafka-connection.ts'
import type { RedisStoreOptions } from '../streams/state/redis.ts'
import type { Settings } from './setting-list.ts'

const REDIS_PORT = 6379

/** How to reach Kafka; null where the log is embedded. Throws CONFIG_INVALID. */
export function kafkaConnectionOf(settings: Settings): KafkaConnection | null {
  const { kafka, kafkaCa, kafkaCert, kafkaKey, kafkaUsername, kafkaPassword, kafkaMechanism } = settings
  if (kafka === null) return null
  const tls: KafkaTls = {
    ...(kafkaCa === null ? {} : { ca: pem('kafkaCa', kafkaCa) }),
    ...(kafkaCert === null ? {} : { cert: pem('kafkaCert', kafkaCert) }),
    ...(kafkaKey === null ? {} : { key: pem('kafkaKey', kafkaKey) }),
  }
  const hasTls = settings.kafkaTls === null ? Object.keys(tls).length > 0 : settings.kafkaTls === 'on'
  if (!hasTls && Object.keys(tls).length > 0) throw unusedCertificate('kafkaTls')
  if (kafkaUsername === null && kafkaPassword !== null) throw incomplete('kafkaPassword', 'kafkaUsername')
  if (kafkaUsername !== null && kafkaPassword === null) throw incomplete('kafkaUsername', 'kafkaPassword')
  return {
    brokers: kafka,
    clientId: 'rheo',
    client: settings.kafkaClient,
    tls: hasTls ? tls : 'none',
    sasl:
      kafkaUsername === null
        ? 'none'
        : { mechanism: kafkaMechanism, username: kafkaUsername, password: kafkaPassword ?? '' },
  }
}

/** How to reach Redis; null where state is embedded. Throws CONFIG_INVALID. */
export function redisOptionsOf(settings: Settings): RedisStoreOptions | null {
  const { redis, redisCa, redisCert, redisKey } = settings
  if (redis === null) return null
  const urls = redis.map(redisUrl)
  const username = settings.redisUsername ?? fromUrl(urls[0]!.username)
  const password = settings.redisPassword ?? fromUrl(urls[0]!.password)
  const tls = {
    ...(redisCa === null ? {} : { ca: pem('redisCa', redisCa) }),
    ...(redisCert === null ? {} : { cert: pem('redisCert', redisCert) }),
    ...(redisKey === null ? {} : { key: pem('redisKey', redisKey) }),
  }
  const isSecure = urls.some(({ protocol }) => protocol === 'rediss:')
  const hasTls = settings.redisTls === null ? isSecure || Object.keys(tls).length > 0 : settings.redisTls === 'on'
  if (!hasTls && (isSecure || Object.keys(tls).length > 0)) throw unusedCertificate('redisTls')
  return {
    addresses: urls.map(({ hostname, port }) => `${hostname}:${port === '' ? REDIS_PORT : port}`),
    topology: settings.redisTopology ?? (urls.length > 1 ? 'cluster' : 'single'),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(hasTls ? { tls } : {}),
    prefix: settings.redisPrefix,
  }
}

/** How to reach the registry; null where this version's own ids do. Throws CONFIG_INVALID. */
export function registryOptionsOf(settings: Settings): Omit<RegistryOptions, 'topics'> | null {
  const { registry, registryCa } = settings
  if (registry === null) return null
  const url = new URL(registry)
  const username = settings.registryUsername ?? fromUrl(url.username)
  const password = settings.registryPassword ?? fromUrl(url.password)
  if (username === undefined && password !== undefined) throw incomplete('registryPassword', 'registryUsername')
  return {
    url: registryAddress(settings),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(registryCa === null ? {} : { ca: pem('registryCa', registryCa) }),
  }
}

/** The registry's address without the password that may stand in it. */
export function registryAddress(settings: Settings): string {
  const url = new URL(settings.registry ?? 'http://none')
  url.username = ''
  url.password = ''
  return url.href
}

/** Addresses without the passwords that may stand in them. */
export function redisAddresses(settings: Settings): string {
  return (settings.redis ?? []).map((address) => redisUrl(address).host).join(', ')
}

function redisUrl(address: string): URL {
  try {
    return new URL(address.includes('://') ? address : `redis://${address}`)
  } catch (cause) {
    throw new RheoError('CONFIG_INVALID', 'the setting redis holds an address that is none', {
      cause,
      hint: 'Write host:port or redis://host:port; characters such as @ and / in a password as %40 and %2F.',
    })
  }
}

function fromUrl(part: string): string | undefined {
  return part === '' ? undefined : decodeURIComponent(part)
}

/** PEM text, or the file that holds it. */
export function pem(name: string, textOrPath: string): string {
  if (textOrPath.includes('-----BEGIN ')) return textOrPath
  let text: string
  try {
    text = readFileSync(textOrPath, 'utf8')
  } catch (cause) {
    throw new RheoError('CONFIG_INVALID', `the file of ${name} cannot be read: ${textOrPath}`, {
      cause,
      hint: 'Give the path of a PEM file, or its text.',
    })
  }
  if (text.includes('-----BEGIN ')) return text
  throw new RheoError('CONFIG_INVALID', `${textOrPath} (${name}) holds no PEM text`, {
    hint: 'Convert it: openssl writes PEM by default.',
  })
}

function unusedCertificate(name: string): RheoError {
  return new RheoError('CONFIG_INVALID', `${name} is off, though certificates or a TLS address are given`, {
    hint: `Leave ${name} out, or set it to on.`,
  })
}

function incomplete(given: string, missing: string): RheoError {
  return new RheoError('CONFIG_INVALID', `${given} is set, and ${missing} is not`, { hint: 'Set both, or neither.' })
}
