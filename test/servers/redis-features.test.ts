import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { runReplay, spoiledStream } from '../streams/fraud-stream.ts'
import { at, changes, failureOf, named, put } from './state-changes.ts'

const address = process.env['RHEO_TEST_REDIS'] ?? '127.0.0.1:16379'

describe('readable features', () => {
  const [host, port] = address.split(':')
  const redis = new Redis({ host: host!, port: Number(port), lazyConnect: true })
  let store: StateStore
  let prefix: string
  beforeAll(() => redis.connect())
  beforeEach(async () => {
    prefix = `rheo-test-${randomUUID()}`
    store = await openRedisStateStore({ addresses: [address], prefix })
    return async () => {
      await store.close()
      const keys = await redis.keys(`${prefix}:*`)
      if (keys.length > 0) await redis.unlink(...keys)
    }
  })
  afterAll(() => redis.disconnect())
  const shown = (task: string, key: string) => redis.hgetall(`${prefix}:{${task}}:features:t:${key}`)

  test('are names and numbers, of the newest flush alone; what is unknown is left out', async () => {
    const state = await store.acquire('a')
    const features = named({ 'count.1 h': 3, mean: 0.1 + 0.2, gone: 1, none: Number.NaN })
    await state.flush(changes({ puts: [put('x', '1', { features }), put('y', '1')] }))
    expect(await shown('a', 'x')).toEqual({ 'count.1 h': '3', mean: '0.30000000000000004', gone: '1' })
    expect(await shown('a', 'y')).toEqual({})
    await state.stage(changes({ puts: [put('x', '2', { features: named({ mean: Number.NEGATIVE_INFINITY }) })] }))
    await state.flush(changes({ positions: at(1n) }))
    expect(await shown('a', 'x')).toEqual({ mean: '-Infinity' })
  })

  test('end with the state: deleted, or expired', async () => {
    const state = await store.acquire('a')
    const features = named({ n: 1 })
    await state.flush(changes({ puts: [put('x', '1', { features }), put('y', '1', { features, expiresAtMs: 10 })] }))
    await state.flush(changes({ deletes: [{ table: 't', key: 'x' }] }))
    for (let i = 0; i < 3; i++) await state.flush(changes({ puts: [put('z', '1')], watermarkMs: 11 }))
    expect(await state.load('t', ['x', 'y'])).toEqual([undefined, undefined])
    expect([await shown('a', 'x'), await shown('a', 'y')]).toEqual([{}, {}])
  })

  test('a former holder changes none', async () => {
    const former = await store.acquire('a')
    const holder = await store.acquire('a')
    await holder.flush(changes({ puts: [put('x', '1', { features: named({ n: 1 }) })] }))
    const late = changes({ puts: [put('x', '0', { features: named({ n: 0 }) })] })
    expect(await failureOf(() => former.flush(late))).toBe('FENCED')
    expect(await shown('a', 'x')).toEqual({ n: '1' })
  })

  test('are not kept where nobody wants them', async () => {
    const without = await openRedisStateStore({ addresses: [address], prefix, features: 'none' })
    const state = await without.acquire('b')
    expect(state.publishesFeatures).toBeUndefined()
    await state.flush(changes({ puts: [put('x', '1', { features: named({ n: 1 }) })] }))
    expect(await shown('b', 'x')).toEqual({})
    await without.close()
  })

  test('of a run say of each customer what its events have left', async () => {
    const { admissions } = spoiledStream(300, 10)
    await runReplay({ log: createMemoryLog(), store, admissions })
    const root = `${prefix}:{${fraud.name}-0}`
    const keys = await redis.keys(`${root}:features:customerId:*`)
    expect(keys.length).toBeGreaterThan(5)
    for (const key of keys) {
      const features = await redis.hgetall(key)
      expect(Number(features['asOfMs'])).toBeGreaterThan(0)
      expect(Number(features['customerId.count.30d'])).toBeGreaterThan(0)
      expect(features['customerId.distinct.deviceId.7d']).toBeDefined()
    }
  })
})
