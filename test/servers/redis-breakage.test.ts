import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import type { StateStore, TaskState } from '../../streams/state/state-store.ts'
import { type LocalServer, startLocalServer } from './local-server.ts'
import { at, changes, failureOf, put, valueIn } from './state-changes.ts'

/** Each test breaks a Redis of its own. */
describe('a Redis that breaks', () => {
  let server: LocalServer
  let store: StateStore
  let state: TaskState
  const admin = async (...command: [string, ...string[]]) => {
    const redis = new Redis({ port: server.port })
    await redis.call(...command)
    redis.disconnect()
  }
  const open = () => openRedisStateStore({ addresses: [`127.0.0.1:${server.port}`], commandTimeoutMs: 3_000 })

  beforeEach(async () => {
    server = await startLocalServer('redis', 'REDIS_PORT')
    // With `everysec` it puts writes off while the disk is busy, and a kill would take what these tests count on.
    await admin('CONFIG', 'SET', 'appendfsync', 'always')
    store = await open()
    state = await store.acquire('a')
    await state.flush(changes({ puts: [put('x', '1'), put('y', '1')], positions: at(1n) }))
  })
  afterEach(async () => {
    await store.close()
    server.remove()
  })

  test.each(['FLUSHALL', 'FLUSHDB'])('%s is noticed by the next read', async (command) => {
    await state.assertKept!()
    await admin(command)
    expect(await failureOf(() => state.assertKept!())).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => state.load('t', ['x']))).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => state.scan('t'))).toBe('STATE_UNAVAILABLE, retryable')
  })

  test('emptied, it is noticed by the next write, and the next holder starts from nothing', async () => {
    await state.stage(changes({ puts: [put('x', '2')] }))
    await admin('FLUSHALL')
    expect(await failureOf(() => state.stage(changes({ puts: [put('y', '2')] })))).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => state.flush(changes({ positions: at(2n) })))).toBe('STATE_UNAVAILABLE, retryable')
    const next = await store.acquire('a')
    expect([...next.positions]).toEqual([])
    expect(await next.scan('t')).toEqual([])
  })

  test('emptied in the middle of a flush whose last call comes alone, nothing of it is made durable', async () => {
    await admin('FLUSHALL')
    expect(await failureOf(() => state.flush(changes({ puts: [put('x', '2')], positions: at(2n) })))).toBe(
      'STATE_UNAVAILABLE, retryable',
    )
    expect((await store.acquire('a')).positions.size).toBe(0)
  })

  test('back without its last writes, it is noticed, and the next holder finds what was really kept', async () => {
    await admin('CONFIG', 'SET', 'appendonly', 'no') // what follows is only in its memory
    await state.flush(changes({ puts: [put('x', '2')], positions: at(2n) }))
    await state.stage(changes({ puts: [put('y', '3')] }))
    server.kill()
    server.start()
    expect(await failureOf(() => state.load('t', ['x']))).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => state.flush(changes({ positions: at(3n) })))).toBe('STATE_UNAVAILABLE, retryable')
    const next = await store.acquire('a')
    expect(new Map(next.positions)).toEqual(at(1n))
    expect([await valueIn(next, 'x'), await valueIn(next, 'y')]).toEqual(['1', '1'])
  })

  test('a staged part that it lost fails the flush, and nothing of it is seen', async () => {
    await state.stage(changes({ puts: [put('x', '2')] }))
    await admin('BGREWRITEAOF')
    await admin('CONFIG', 'SET', 'appendonly', 'no')
    await state.stage(changes({ puts: [put('y', '2')] }))
    server.kill()
    server.start()
    expect(await failureOf(() => state.flush(changes({ positions: at(2n) })))).toBe('STATE_UNAVAILABLE, retryable')
    const next = await store.acquire('a')
    expect(new Map(next.positions)).toEqual(at(1n))
    expect([await valueIn(next, 'x'), await valueIn(next, 'y')]).toEqual(['1', '1'])
  })

  test('away, every call fails and may be retried; back again, reads go on by themselves', async () => {
    server.kill()
    expect(await failureOf(() => state.load('t', ['x']))).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => store.acquire('b'))).toBe('STATE_UNAVAILABLE, retryable')
    expect(await failureOf(() => open())).toBe('STATE_UNAVAILABLE, retryable')
    server.start()
    await expect.poll(async () => valueIn(await store.acquire('a'), 'x'), { timeout: 5_000 }).toBe('1')
  })

  test('not answering, a call fails in time; its write, done late or not, tears nothing', async () => {
    await state.stage(changes({ puts: [put('x', '2')] }))
    server.pause()
    const flush = changes({ puts: [put('y', '2')], positions: at(2n) })
    expect(await failureOf(() => state.flush(flush))).toBe('STATE_UNAVAILABLE, retryable')
    server.resume()
    expect(await failureOf(() => state.flush(flush))).toBe('STATE_UNAVAILABLE, retryable')
    const next = await store.acquire('a')
    const found = [await valueIn(next, 'x'), await valueIn(next, 'y'), next.positions.get('topic')]
    expect([
      ['1', '1', 1n],
      ['2', '2', 2n],
    ]).toContainEqual(found)
  })

  test('full, it refuses a flush as a whole, and takes it when there is room', async () => {
    await admin('CONFIG', 'SET', 'maxmemory', '1mb')
    const flush = changes({ puts: [put('x', '2'.repeat(10))], deletes: [{ table: 't', key: 'y' }], positions: at(2n) })
    expect(await failureOf(() => state.flush(flush))).toBe('STORAGE_FULL, retryable')
    expect([await valueIn(state, 'x'), await valueIn(state, 'y')]).toEqual(['1', '1'])
    await admin('CONFIG', 'SET', 'maxmemory', '100mb')
    await (await store.acquire('a')).flush(flush)
    expect(await valueIn(await store.acquire('a'), 'y')).toBeUndefined()
  })

  test('killed anywhere in a flush of many parts, it has all of it or nothing', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    for (const callsLeft of [1, 50, 101, 150, 202, 280]) {
      state = await store.acquire('a')
      const first = (state.positions.get('topic') ?? 0n) + 1n
      let calls = 0
      // The server is killed while a call is on its way.
      const called = (call: unknown): unknown => {
        if (++calls === callsLeft) server.kill()
        return call
      }
      const writer = async () => {
        for (let next = first; ; next++) {
          for (const key of keys) await called(state.stage(changes({ puts: [put(key, `of ${next}`)] })))
          await called(state.flush(changes({ positions: at(next) })))
        }
      }
      expect(await failureOf(writer)).toBe('STATE_UNAVAILABLE, retryable')
      server.start()
      await store.close()
      store = await open()
      const after = await store.acquire('a')
      const stored = new Set((await after.load('t', keys)).map((value) => Buffer.from(value ?? []).toString()))
      const position = after.positions.get('topic')!
      expect([...stored]).toEqual([position === 1n ? '' : `of ${position}`])
      const flushed = first + BigInt(Math.floor(callsLeft / 101))
      expect([flushed - 1n, flushed - 2n]).toContain(position)
    }
  })
})
