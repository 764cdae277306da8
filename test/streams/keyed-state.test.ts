import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyedTable } from '../../processors/step.ts'
import { KeyedState } from '../../streams/keyed-state.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { TaskState } from '../../streams/state/state-store.ts'

interface Sum {
  sum: number
  lastMs: number
}

const KEEP_MS = 2 * 86_400_000

/** A sum that means nothing any more two days after it was last added to. */
const table: KeyedTable<Sum> = {
  create: () => ({ sum: 0, lastMs: Number.NEGATIVE_INFINITY }),
  encode: ({ sum, lastMs }) => Buffer.from(JSON.stringify([sum, lastMs])),
  decode: (bytes) => {
    const [sum, lastMs] = JSON.parse(Buffer.from(bytes).toString()) as [number, number]
    return { sum, lastMs }
  },
  /** So that a bound in bytes counts keys. */
  bytes: () => 1,
  expiresAtMs: ({ lastMs }) => lastMs + KEEP_MS,
}

function addTo(state: Sum, amount: number, atMs: number): number {
  if (state.lastMs + KEEP_MS < atMs) state.sum = 0
  state.sum += amount
  state.lastMs = atMs
  return state.sum
}

async function endFlush(keyed: KeyedState<Sum>, store: TaskState, watermarkMs: number): Promise<void> {
  const { puts, deletes } = keyed.takeFrozen(Number.POSITIVE_INFINITY)
  await store.flush({ positions: new Map([['topic', 1n]]), puts, deletes, watermarkMs })
  keyed.trim(watermarkMs)
}

async function flush(keyed: KeyedState<Sum>, store: TaskState, watermarkMs: number): Promise<void> {
  keyed.freeze()
  await endFlush(keyed, store, watermarkMs)
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '__proto__')
const move = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('add' as const),
      key,
      amount: fc.integer({ min: 1, max: 9 }),
      laterMs: fc.constantFrom(0, 1_000, 86_400_000, 3 * 86_400_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('forget' as const), key }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('flush and restart' as const) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('begin a flush' as const) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('stage a part' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('die' as const) }) },
)

const copyOf = (states: ReadonlyMap<string, Sum>): Map<string, Sum> =>
  new Map([...states].map(([name, state]) => [name, { ...state }]))

const copied: KeyedTable<Sum> = { ...table, copy: (state) => ({ ...state }) }

test.each([
  [0, 'none', table],
  [1, 'those used lately', table],
  [2, 'those used lately', table],
  [100, 'those used lately', table],
  [2, 'those used lately, copied', copied],
] as const)(
  'in front of a store, with about %i keys in memory, %s, states are those of a plain map',
  async (maxKeys, _kept, table) => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 80 }), async (moves) => {
        const states = createMemoryStateStore()
        let store = await states.acquire('task')
        let keyed = new KeyedState(table, 'sums', store, () => maxKeys)
        let plain = new Map<string, Sum>()
        /** What a restart finds: the states of the last flush that ended, as they were when it began. */
        let durable = copyOf(plain)
        let frozen: Map<string, Sum> | null = null
        let nowMs = 0
        const flushAll = async (): Promise<void> => {
          if (frozen !== null) await endFlush(keyed, store, nowMs)
          await flush(keyed, store, nowMs)
          frozen = null
          durable = copyOf(plain)
        }
        const restart = async (): Promise<void> => {
          store = await states.acquire('task')
          keyed = new KeyedState(table, 'sums', store, () => maxKeys)
        }
        for (const step of moves) {
          switch (step.what) {
            case 'add': {
              nowMs += step.laterMs
              keyed.makeRoom()
              await keyed.load([step.key, step.key])
              const expected = plain.get(step.key) ?? table.create(step.key)
              plain.set(step.key, expected)
              expect(addTo(keyed.use(step.key), step.amount, nowMs)).toBe(addTo(expected, step.amount, nowMs))
              break
            }
            case 'forget':
              keyed.makeRoom()
              await keyed.load([step.key])
              keyed.forget(step.key)
              plain.delete(step.key)
              break
            case 'flush':
              await flushAll()
              break
            case 'flush and restart':
              await flushAll()
              await restart()
              break
            case 'begin a flush':
              if (frozen !== null) break
              keyed.freeze()
              frozen = copyOf(plain)
              break
            case 'stage a part': {
              if (frozen === null) break
              const { puts, deletes } = keyed.takeFrozen(1)
              if (puts.length + deletes.length > 0) {
                await store.stage({ puts, deletes, watermarkMs: nowMs })
                break
              }
              await endFlush(keyed, store, nowMs)
              durable = frozen
              frozen = null
              break
            }
            case 'die':
              await restart()
              plain = copyOf(durable)
              frozen = null
          }
        }
        await flushAll()
        const stored = new Map(await store.scan('sums'))
        for (const [name, state] of plain) {
          if (table.expiresAtMs(state)! < nowMs) continue
          expect(Buffer.from(stored.get(name)!).toString()).toBe(Buffer.from(table.encode(state)).toString())
        }
        for (const [name, bytes] of stored) {
          // What has left memory because it had expired is for the store to drop.
          if (!plain.has(name)) expect(table.expiresAtMs(table.decode(bytes, name))!).toBeLessThan(nowMs)
        }
      }),
      { numRuns: 2_000 },
    )
  },
)

test('memory is bounded: keys not used lately leave it, and come back from the store, or from what waits to be stored', async () => {
  const store = await createMemoryStateStore().acquire('task')
  const keyed = new KeyedState(table, 'sums', store, () => 20)
  for (let i = 0; i < 100; i++) {
    keyed.makeRoom()
    addTo(keyed.use(`k${i}`), i, 0)
    if (i < 50) await flush(keyed, store, 0)
  }
  const held = Array.from({ length: 100 }, (_, i) => `k${i}`).filter((name) => keyed.peek(name) !== undefined)
  expect(held.length).toBeLessThanOrEqual(21)
  expect(keyed.isResident).toBe(false)
  await keyed.load(['k3', 'k60'])
  expect(keyed.use('k3').sum).toBe(3)
  expect(keyed.use('k60').sum).toBe(60)
})

test('without a store all states stay in memory, and nothing is to be written', () => {
  const keyed = new KeyedState(table, 'sums', null, () => 2)
  for (let i = 0; i < 10; i++) addTo(keyed.use(`k${i}`), i, 0)
  keyed.trim(0)
  expect(keyed.peek('k9')?.sum).toBe(9)
  expect(keyed.peek('k0')?.sum).toBe(0)
  expect(keyed.changes).toBe(0)
  keyed.trim(10 * KEEP_MS)
  expect(keyed.peek('k0')).toBeUndefined()
})
