import { beforeEach, describe, expect, test } from 'vitest'
import { Changelog } from '../../streams/changelog.ts'
import type { EventLog, TaskWriter } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateChanges, StatePut, StateStore, TaskState } from '../../streams/state/state-store.ts'

const TOPIC = 'rheo.test.state.v1'

let log: EventLog
let reads: number
beforeEach(async () => {
  const inner = createMemoryLog()
  reads = 0
  log = {
    ...inner,
    async fetch(...args) {
      const fetched = await inner.fetch(...args)
      reads += fetched.records.length
      return fetched
    },
  }
  const spec = { name: TOPIC, partitions: 1, cleanup: 'compact', retentionMs: null, maxRecordBytes: 1e6 } as const
  await log.ensureTopics([spec, { ...spec, name: 'stage', cleanup: 'delete' }])
})

const put = (key: string, text: string): StatePut => ({
  table: 't',
  key,
  value: Buffer.from(text),
  expiresAtMs: null,
})

const changes = (next: number, more: Partial<StateChanges>): StateChanges => ({
  positions: new Map([['stage', BigInt(next)]]),
  puts: [],
  deletes: [],
  watermarkMs: next,
  ...more,
})

/** The task as whoever takes it over gets it. */
async function acquire(store: StateStore): Promise<{ readonly state: TaskState; readonly writer: TaskWriter }> {
  const writer = await log.acquire('group', 'task-0')
  const options = { log, topic: TOPIC, task: 0, writer, clock: () => 0, complete: (given: StatePut) => given }
  return { state: await Changelog.over(await store.acquire('task-0'), options), writer }
}

async function stored(state: TaskState): Promise<Record<string, string>> {
  const found = (await state.scan('t')).map(([key, value]): [string, string] => [key, Buffer.from(value).toString()])
  return Object.fromEntries(found.sort())
}

describe('a changelog', () => {
  test('brings an empty store to what had been flushed, positions and deletes included, also after compaction', async () => {
    const { state } = await acquire(createMemoryStateStore())
    await state.flush(changes(3, { puts: [put('a', '1'), put('b', '1'), put('c', '1')] }))
    await state.flush(changes(5, { puts: [put('a', '2')], deletes: [{ table: 't', key: 'b' }] }))
    await log.clean(0)
    const { state: again } = await acquire(createMemoryStateStore())
    expect(await stored(again)).toEqual({ a: '2', c: '1' })
    expect(again.positions.get('stage')).toBe(5n)
  })

  test('gives an older store only what it lacks', async () => {
    const older = createMemoryStateStore()
    const { state } = await acquire(older)
    await state.flush(changes(100, { puts: Array.from({ length: 500 }, (_, i) => put(`${i}`, 'old')) }))
    const { state: newer } = await acquire(await copyOf(older))
    await newer.flush(changes(101, { puts: [put('7', 'new')] }))
    reads = 0
    const { state: behind } = await acquire(older)
    expect((await stored(behind))['7']).toBe('new')
    expect(behind.positions.get('stage')).toBe(101n)
    expect(reads).toBeLessThan(1_100)
  })

  test('does not count a flush that never came to its end, and the next one undoes it', async () => {
    const store = createMemoryStateStore()
    const { state } = await acquire(store)
    await state.flush(changes(1, { puts: [put('a', 'flushed')] }))
    await state.stage({ puts: [put('a', 'torn'), put('b', 'torn')], deletes: [], watermarkMs: 0 })
    expect(await stored((await acquire(createMemoryStateStore())).state)).toEqual({ a: 'flushed' })
    const { state: next } = await acquire(store)
    await next.flush(changes(2, { puts: [put('c', 'later')] }))
    expect(await stored((await acquire(createMemoryStateStore())).state)).toEqual({ a: 'flushed', c: 'later' })
  })

  test('catches a store up whose own flush failed after it was written down', async () => {
    const store = createMemoryStateStore()
    const failing: StateStore = {
      ...store,
      async acquire(task) {
        const state = await store.acquire(task)
        return { ...state, flush: () => Promise.reject(new Error('gone')) }
      },
    }
    const { state } = await acquire(failing)
    await expect((async () => state.flush(changes(4, { puts: [put('a', '1')] })))()).rejects.toThrow('gone')
    const { state: again } = await acquire(store)
    expect(await stored(again)).toEqual({ a: '1' })
    expect(again.positions.get('stage')).toBe(4n)
  })

  test('refuses a store whose state was never written down', async () => {
    const store = createMemoryStateStore()
    const bare = await store.acquire('task-0')
    await bare.flush(changes(1, { puts: [put('a', '1')] }))
    await expect(acquire(store)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
  })

  test('lets only the holder of the task write', async () => {
    const { state } = await acquire(createMemoryStateStore())
    await acquire(createMemoryStateStore())
    await expect((async () => state.flush(changes(1, { puts: [put('a', '1')] })))()).rejects.toMatchObject({
      code: 'FENCED',
    })
  })
})

/** Another store with the same content, so that the first stays behind. */
async function copyOf(store: StateStore): Promise<StateStore> {
  const [from, copy] = [await store.acquire('task-0'), createMemoryStateStore()]
  const to = await copy.acquire('task-0')
  const puts = (await from.scan('t')).map(([key, value]) => put(key, Buffer.from(value).toString()))
  await to.flush({ puts, deletes: [], watermarkMs: 0, positions: new Map(from.positions) })
  return copy
}
