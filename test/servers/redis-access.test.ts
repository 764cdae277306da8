import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedisStateStore, type RedisStoreOptions } from '../../streams/state/redis.ts'
import { certificate, type LocalServer, startLocalServer } from './local-server.ts'
import { at, changes, failureOf, named, put, valueIn } from './state-changes.ts'

/** Opens, writes and reads; how it fails, or what it read. */
async function tried(options: RedisStoreOptions): Promise<string | undefined> {
  let read: string | undefined
  const failure = failureOf(async () => {
    const store = await openRedisStateStore(options)
    try {
      const state = await store.acquire('a')
      await state.stage(changes({ puts: [put('x', 'old', { expiresAtMs: 1, features: named({ n: 1 }) })] }))
      await state.flush(changes({ puts: [put('x', 'kept')], positions: at(1n), watermarkMs: 5 }))
      await state.scan('t')
      await store.peek('a', 't', 'x')
      read = await valueIn(state, 'x')
    } finally {
      await store.close()
    }
    throw new TypeError('read')
  })
  return failure.catch((error: Error) => (error instanceof TypeError ? read : Promise.reject(error)))
}

describe('a Redis that asks for a user', () => {
  let server: LocalServer
  beforeAll(async () => {
    server = await startLocalServer('redis', 'REDIS_PORT', { REDIS_PASSWORD: 'right', REDIS_USER: 'rheo' })
  })
  afterAll(() => server.remove())
  const addresses = () => [`127.0.0.1:${server.port}`]

  test('lets in the right one', async () => {
    expect(await tried({ addresses: addresses(), username: 'rheo', password: 'right' })).toBe('kept')
  })

  test.each([
    ['a wrong password', { username: 'rheo', password: 'wrong' }],
    ['an unknown user', { username: 'nobody', password: 'right' }],
    ['a password without its user', { password: 'right' }],
    ['no password', {}],
  ])('refuses %s, and that is not retried', async (_, credentials) => {
    expect(await tried({ addresses: addresses(), ...credentials })).toBe('AUTH_FAILED')
  })
})

describe('the ACL rule that is documented', () => {
  let server: LocalServer
  beforeAll(async () => {
    server = await startLocalServer('redis', 'REDIS_PORT')
    const redis = new Redis({ port: server.port })
    const rule = '~rheo:* +@read +@write +@connection +@scripting +@transaction +info -@dangerous +info'
    await redis.call('ACL', 'SETUSER', 'least', 'on', '>secret', ...rule.split(' '))
    await redis.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '~rheo:*', '+@read', '+@connection', '+info')
    redis.disconnect()
  })
  afterAll(() => server.remove())
  const options = (username: string, more: Partial<RedisStoreOptions> = {}): RedisStoreOptions => ({
    addresses: [`127.0.0.1:${server.port}`],
    username,
    password: 'secret',
    ...more,
  })

  test('is enough', async () => {
    expect(await tried(options('least'))).toBe('kept')
  })

  test('keeps the user away from the keys of others', async () => {
    expect(await tried(options('least', { prefix: 'other' }))).toBe('AUTH_FAILED')
  })

  test('with less, the first write says what is missing', async () => {
    expect(await tried(options('blind'))).toBe('AUTH_FAILED')
  })
})

describe('TLS', () => {
  let server: LocalServer
  const tlsPort = 17_000 + Math.floor(Math.random() * 1_000)
  beforeAll(async () => {
    server = await startLocalServer('redis', 'REDIS_PORT', { REDIS_TLS_PORT: String(tlsPort) })
  })
  afterAll(() => server.remove())
  const addresses = [`localhost:${tlsPort}`]

  test('works with the authority that issued the certificate', async () => {
    expect(await tried({ addresses, tls: { ca: certificate('ca.pem') } })).toBe('kept')
  })

  test('works with a certificate of the client', async () => {
    const tls = { ca: certificate('ca.pem'), cert: certificate('client.crt'), key: certificate('client.key') }
    expect(await tried({ addresses, tls })).toBe('kept')
  })

  test('refuses a certificate of an authority that nobody named, and that is not retried', async () => {
    expect(await tried({ addresses, tls: {} })).toBe('AUTH_FAILED')
  })

  test('a plain connection to the TLS port may be retried, and does not hang', async () => {
    expect(await tried({ addresses, commandTimeoutMs: 2_000 })).toBe('STATE_UNAVAILABLE, retryable')
  })
})

describe('settings that would lose state', () => {
  test.each(['allkeys-lru', 'volatile-ttl'])('%s is refused at start', async (policy) => {
    const server = await startLocalServer('redis', 'REDIS_PORT', { REDIS_MAXMEMORY_POLICY: policy })
    try {
      expect(await tried({ addresses: [`127.0.0.1:${server.port}`] })).toBe('CONFIG_INVALID')
    } finally {
      server.remove()
    }
  })

  test('eviction that is switched on later is refused when a task is acquired', async () => {
    const server = await startLocalServer('redis', 'REDIS_PORT')
    const store = await openRedisStateStore({ addresses: [`127.0.0.1:${server.port}`] })
    const redis = new Redis({ port: server.port })
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lfu')
    expect(await failureOf(() => store.acquire('a'))).toBe('CONFIG_INVALID')
    redis.disconnect()
    await store.close()
    server.remove()
  })

  test.each([
    ['no port', ['127.0.0.1']],
    ['a port too high', ['127.0.0.1:70000']],
    ['a URL', ['redis://127.0.0.1:6379']],
    ['two addresses of one server', ['127.0.0.1:1', '127.0.0.1:2']],
  ])('%s is refused', async (_, addresses) => {
    expect(await tried({ addresses })).toBe('CONFIG_INVALID')
  })
})
