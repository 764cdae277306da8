import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { describeStateStore } from '../state/contract.ts'
import { type LocalServer, startLocalServer } from './local-server.ts'
import { at, changes, failureOf, named, put, valueIn } from './state-changes.ts'

let server: LocalServer
beforeAll(async () => {
  server = await startLocalServer('redis3', 'REDIS3_PORT')
})
afterAll(() => server.remove())

const open = (prefix: string) =>
  openRedisStateStore({ addresses: [`127.0.0.1:${server.port}`], topology: 'cluster', prefix, commandTimeoutMs: 5_000 })

let run = 0
describeStateStore('redis cluster', async () => {
  const prefix = `run-${++run}`
  const handles: StateStore[] = []
  const another = async () => {
    const store = await open(prefix)
    handles.push(store)
    return store
  }
  return {
    store: await another(),
    another,
    async close() {
      for (const store of handles) await store.close()
    },
  }
})

describe('on a cluster', () => {
  test('the keys of a task lie in one slot, and tasks are spread over the nodes', async () => {
    const store = await open('spread')
    for (let task = 0; task < 12; task++) {
      const state = await store.acquire(`fraud-${task}`)
      await state.stage(
        changes({ puts: [put('x', '1', { features: named({ n: 1 }) }), put('x', '1', { table: 'u' })] }),
      )
    }
    const cluster = new Cluster([{ port: server.port }])
    const slots = new Map<string, Set<number>>()
    const perNode: number[] = []
    await cluster.call('PING')
    for (const node of cluster.nodes('master')) {
      const keys = await node.keys('spread:*')
      perNode.push(keys.length)
      for (const key of keys) {
        const task = /\{(.*)\}/.exec(key)![1]!
        slots.set(task, (slots.get(task) ?? new Set()).add(Number(await node.cluster('KEYSLOT', key))))
      }
    }
    expect(slots.size).toBe(12)
    expect([...slots.values()].map((found) => found.size)).toEqual(Array(12).fill(1))
    expect(perNode.filter((keys) => keys > 0).length).toBe(3)
    cluster.disconnect()
    await store.close()
  })

  test('a node that is away stops its own tasks only, and they go on when it is back', async () => {
    const store = await open('away')
    const holders = []
    for (let task = 0; task < 12; task++) {
      const state = await store.acquire(`fraud-${task}`)
      await state.flush(changes({ puts: [put('x', '1')], positions: at(1n) }))
      holders.push(state)
    }
    server.kill()
    const reads = holders.map((state) => valueIn(state, 'x').catch(() => failureOf(() => state.load('t', ['x']))))
    const found = new Set(await Promise.all(reads))
    expect(found).toContain('STATE_UNAVAILABLE, retryable')
    server.start()
    for (let task = 0; task < 12; task++) {
      const read = async () => valueIn(await store.acquire(`fraud-${task}`), 'x').catch(() => 'not yet')
      await expect.poll(read, { timeout: 20_000, interval: 200 }).toBe('1')
    }
    await store.close()
  })
})
