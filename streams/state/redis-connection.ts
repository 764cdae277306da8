import { Cluster, Redis } from 'ioredis'
import { RheoError } from '../../schemas/errors.ts'
import { translateRedis } from './redis-failures.ts'
import type { RedisScript } from './redis-scripts.ts'

export interface RedisConnectionOptions {
  /** `host:port` of the server; of a cluster, some of its nodes. */
  readonly addresses: readonly string[]
  readonly topology?: 'single' | 'cluster'
  /** ACL user; without one, Redis takes the password for its user `default`. */
  readonly username?: string
  readonly password?: string
  /** PEM texts. {}: TLS with the system's authorities. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly servername?: string }
  /** A call that is not answered for so long fails with STATE_UNAVAILABLE. */
  readonly commandTimeoutMs?: number
}

export type RedisArgument = string | Buffer | number

const COMMAND_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 5_000
/** A call outlives so many attempts to connect again, 50 to 500 ms apart; then it fails, and the run loop waits. */
const ATTEMPTS_PER_CALL = 3

/** A connection to Redis or Redis Cluster that reconnects by itself and answers failures in our own words. */
export class RedisConnection {
  readonly client: Redis | Cluster
  #lastError: Error | null = null

  private constructor(client: Redis | Cluster) {
    this.client = client
    client.on('error', (error: Error) => {
      this.#lastError = error
    })
    client.on('ready', () => {
      this.#lastError = null
    })
  }

  /** Throws STATE_UNAVAILABLE (retryable), AUTH_FAILED, or CONFIG_INVALID where Redis would evict state. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(clientOf(options))
    try {
      await connection.client.connect()
      await connection.assertKeepsState()
      return connection
    } catch (error) {
      connection.close()
      throw connection.translate(error)
    }
  }

  /** Throws CONFIG_INVALID unless every node keeps what it was given when its memory is full. */
  async assertKeepsState(): Promise<void> {
    const nodes = this.client instanceof Cluster ? this.client.nodes('master') : [this.client]
    for (const node of nodes) {
      const policy = /^maxmemory_policy:(\S+)/m.exec(await node.info('memory'))?.[1]
      if (policy === 'noeviction') continue
      throw new RheoError('CONFIG_INVALID', `Redis runs with maxmemory-policy ${policy}: it would drop state.`, {
        hint: 'Set maxmemory-policy noeviction in redis.conf, or now: redis-cli config set maxmemory-policy noeviction.',
      })
    }
  }

  /** Runs a script on one key; sends its text only where Redis does not have it. */
  async run(script: RedisScript, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.client.callBuffer('EVALSHA', script.sha1, 1, key, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await this.client.callBuffer('EVAL', script.lua, 1, key, ...args)
    }
  }

  /** Does the work, and translates its failure. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.translate(error)
    }
  }

  translate(error: unknown): RheoError {
    const isAnswer = error instanceof RheoError || (error instanceof Error && error.name === 'ReplyError')
    return translateRedis(isAnswer ? error : (this.#lastError ?? error))
  }

  close(): void {
    this.client.disconnect()
  }
}

function clientOf(options: RedisConnectionOptions): Redis | Cluster {
  const nodes = options.addresses.map(hostAndPort)
  const redisOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: ATTEMPTS_PER_CALL,
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  }
  const pauseMs = (attempt: number): number => Math.min(50 * 2 ** (attempt - 1), 500)
  if (options.topology === 'cluster') {
    return new Cluster(nodes, {
      lazyConnect: true,
      redisOptions,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      clusterRetryStrategy: pauseMs,
    })
  }
  if (nodes.length !== 1) {
    throw new RheoError('CONFIG_INVALID', `${nodes.length} addresses were given for one Redis`, {
      hint: 'Give one address, or say that it is a cluster.',
    })
  }
  return new Redis({ ...nodes[0]!, ...redisOptions, lazyConnect: true, retryStrategy: pauseMs })
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/@\s]+)):(?<port>\d{1,5})$/.exec(address)
  const port = Number(match?.groups?.['port'])
  if (match === null || port > 65_535) {
    throw new RheoError('CONFIG_INVALID', `"${address}" is no address of Redis`, { hint: 'Write host:port.' })
  }
  return { host: (match.groups!['v6'] ?? match.groups!['host'])!, port }
}
