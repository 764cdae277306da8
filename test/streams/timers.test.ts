import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Timers } from '../../streams/timers.ts'

interface Timer {
  readonly key: string
  readonly atMs: number
}

/** All timers in one list, sorted at every look. */
class NaiveTimers {
  #timers: Timer[] = []

  set(key: string, atMs: number): void {
    this.#timers.push({ key, atMs })
  }

  get earliestMs(): number {
    return Math.min(...this.#timers.map(({ atMs }) => atMs))
  }

  takeDue(watermarkMs: number): Timer[] {
    const due = this.#timers.filter(({ atMs }) => atMs <= watermarkMs)
    this.#timers = this.#timers.filter(({ atMs }) => atMs > watermarkMs)
    return due.sort((a, b) => a.atMs - b.atMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  }
}

/** What a state store holds of the timers. */
class StoredPages {
  readonly pages = new Map<string, Uint8Array>()

  flush(timers: Timers): void {
    const { puts, deletes } = timers.changedPages()
    for (const page of deletes) this.pages.delete(page)
    for (const [page, value] of puts) this.pages.set(page, value)
  }

  readonly load = (names: readonly string[]): (Uint8Array | undefined)[] => names.map((name) => this.pages.get(name))

  restored(): Timers {
    const timers = new Timers()
    timers.restore([...this.pages])
    return timers
  }
}

const MINUTE_MS = 60_000
const timeMs = fc.oneof(
  fc.integer({ min: -2 * MINUTE_MS, max: 5 * MINUTE_MS }),
  fc.constantFrom(-1, 0, MINUTE_MS - 1, MINUTE_MS, MINUTE_MS + 1, 40 * 86_400_000),
)
const move = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('set' as const),
      key: fc.constantFrom('a', 'b', 'ü', '一'),
      atMs: timeMs,
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('take' as const), atMs: timeMs }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('flush and restart' as const) }) },
)

test('timers fire like those of one sorted list, restarts in between included', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 120 }), async (moves) => {
      let timers = new Timers()
      const naive = new NaiveTimers()
      const store = new StoredPages()
      for (const step of moves) {
        switch (step.what) {
          case 'set':
            timers.set(step.key, step.atMs)
            naive.set(step.key, step.atMs)
            break
          case 'take': {
            await timers.load(step.atMs, store.load)
            const ahead = timers.keysUntil(step.atMs).sort()
            const due = naive.takeDue(step.atMs)
            expect(ahead).toEqual(due.map(({ key }) => key).sort())
            expect(timers.takeDue(step.atMs)).toEqual(due)
            break
          }
          case 'flush':
            store.flush(timers)
            break
          case 'flush and restart':
            store.flush(timers)
            timers = store.restored()
        }
        expect(timers.earliestMs).toBeLessThanOrEqual(naive.earliestMs)
      }
      await timers.load(Number.MAX_SAFE_INTEGER, store.load)
      expect(timers.takeDue(Number.MAX_SAFE_INTEGER)).toEqual(naive.takeDue(Number.MAX_SAFE_INTEGER))
      store.flush(timers)
      expect([...store.pages.keys()]).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test('a minute with more timers than a page holds fires in order, and comes back from its pages', async () => {
  const timers = new Timers()
  const store = new StoredPages()
  const naive = new NaiveTimers()
  for (let i = 0; i < 3_000; i++) {
    const [key, atMs] = [`k${(i * 7) % 1_000}`, (i * 7_919) % MINUTE_MS]
    timers.set(key, atMs)
    naive.set(key, atMs)
  }
  store.flush(timers)
  expect(store.pages.size).toBe(3)
  expect(timers.takeDue(50_000)).toEqual(naive.takeDue(50_000))
  store.flush(timers)
  const restored = store.restored()
  await restored.load(MINUTE_MS, store.load)
  expect(restored.takeDue(MINUTE_MS)).toEqual(naive.takeDue(MINUTE_MS))
})

test('far timers lie in the state store only, and are read when they are near', async () => {
  const timers = new Timers()
  const store = new StoredPages()
  const asked: string[] = []
  const load = (names: readonly string[]): (Uint8Array | undefined)[] => {
    asked.push(...names)
    return store.load(names)
  }
  timers.set('far', 10 * MINUTE_MS)
  store.flush(timers)
  store.flush(timers)
  timers.set('later', 10 * MINUTE_MS + 1)
  expect(timers.load(9 * MINUTE_MS, load)).toBeNull()
  await timers.load(11 * MINUTE_MS, load)
  expect(asked).toEqual(['10.0'])
  expect(timers.takeDue(11 * MINUTE_MS).map(({ key }) => key)).toEqual(['far', 'later'])
})
