import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RheoError } from '../../schemas/errors.ts'
import type { StateChanges, StatePut, StateStore } from '../../streams/state/state-store.ts'

/** One adapter under the contract: a fresh store, and a further handle on it (memory: the same object). */
export interface StoreUnderTest {
  readonly store: StateStore
  readonly another: () => Promise<StateStore>
  readonly close: () => Promise<void>
}

const put = (key: string, value: string, expiresAtMs: number | null = null, table = 't'): StatePut => ({
  table,
  key,
  value: Buffer.from(value),
  expiresAtMs,
})

const changes = (more: Partial<StateChanges>): StateChanges => ({
  positions: new Map(),
  puts: [],
  deletes: [],
  watermarkMs: Number.NEGATIVE_INFINITY,
  ...more,
})

const textOf = (value: Uint8Array | undefined) => (value === undefined ? undefined : Buffer.from(value).toString())

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof RheoError) return error.code
    throw error
  }
  throw new Error('expected an error')
}

/** The contract of the state store, run over every adapter; it never assumes that an answer is synchronous. */
export function describeStateStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`state store: ${name}`, () => {
    let under: StoreUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('a new task has neither positions nor state', async () => {
      const state = await under.store.acquire('a')
      expect([...state.positions]).toEqual([])
      expect(await state.load('t', ['x'])).toEqual([undefined])
      expect(await state.scan('t')).toEqual([])
    })

    test('what was flushed is loaded, in the order of the keys, undefined where there is none', async () => {
      const state = await under.store.acquire('a')
      const odd = ['', '键', 'with\u0000zero', 'quote\'"', '__proto__']
      await state.flush(changes({ puts: [put('x', '1'), put('y', '2'), ...odd.map((key) => put(key, `odd ${key}`))] }))
      expect((await state.load('t', ['y', 'none', 'x', 'y'])).map(textOf)).toEqual(['2', undefined, '1', '2'])
      expect((await state.load('t', odd)).map(textOf)).toEqual(odd.map((key) => `odd ${key}`))
      expect(await state.load('t', [])).toEqual([])
      expect(textOf(await under.store.peek('a', 't', 'x'))).toBe('1')
      expect(await under.store.peek('b', 't', 'x')).toBeUndefined()
    })

    test('many keys are loaded at once', async () => {
      const state = await under.store.acquire('a')
      const keys = Array.from({ length: 3000 }, (_, i) => `key ${i}`)
      await state.flush(changes({ puts: keys.map((key) => put(key, key)) }))
      expect((await state.load('t', keys.toReversed())).map(textOf)).toEqual(keys.toReversed())
    })

    test('bytes come back as they were, an empty value is not missing', async () => {
      const state = await under.store.acquire('a')
      const value = Uint8Array.from({ length: 20_000 }, (_, i) => i % 256)
      const empty = { ...put('empty', ''), value: new Uint8Array(0) }
      await state.flush(changes({ puts: [{ ...put('large', ''), value }, empty] }))
      const [large, none] = await state.load('t', ['large', 'empty'])
      expect(Buffer.from(large!).equals(Buffer.from(value))).toBe(true)
      expect(none?.byteLength).toBe(0)
    })

    test('puts replace, deletes remove, tables and tasks are apart', async () => {
      const a = await under.store.acquire('a')
      const b = await under.store.acquire('b')
      await a.flush(changes({ puts: [put('x', '1'), put('y', '1'), put('x', 'u', null, 'u')] }))
      await b.flush(changes({ puts: [put('x', 'b')] }))
      await a.flush(changes({ puts: [put('x', '2')], deletes: [{ table: 't', key: 'y' }] }))
      expect((await a.scan('t')).map(([key, value]) => [key, textOf(value)])).toEqual([['x', '2']])
      expect((await a.load('u', ['x'])).map(textOf)).toEqual(['u'])
      expect((await b.load('t', ['x', 'y'])).map(textOf)).toEqual(['b', undefined])
    })

    test('a key that is deleted and put in one flush has the new value', async () => {
      const state = await under.store.acquire('a')
      await state.flush(changes({ puts: [put('x', '1')] }))
      await state.flush(changes({ puts: [put('x', '2')], deletes: [{ table: 't', key: 'x' }] }))
      expect((await state.load('t', ['x'])).map(textOf)).toEqual(['2'])
    })

    test('positions are replaced per topic, and seen by the next holder', async () => {
      const state = await under.store.acquire('a')
      await state.flush(
        changes({
          positions: new Map([
            ['one', 5n],
            ['two', 2n ** 60n],
          ]),
        }),
      )
      await state.flush(changes({ positions: new Map([['one', 6n]]) }))
      const expected = new Map([
        ['one', 6n],
        ['two', 2n ** 60n],
      ])
      expect(new Map(state.positions)).toEqual(expected)
      expect(new Map((await under.store.acquire('a')).positions)).toEqual(expected)
      expect((await under.store.acquire('b')).positions.size).toBe(0)
    })

    test('the flush of a former holder fails and changes nothing', async () => {
      const zombie = await under.store.acquire('a')
      await zombie.flush(changes({ puts: [put('x', '1')], positions: new Map([['one', 1n]]) }))
      const other = await under.another()
      const holder = await other.acquire('a')
      expect((await holder.load('t', ['x'])).map(textOf)).toEqual(['1'])
      const late = changes({
        puts: [put('x', 'zombie'), put('z', 'zombie')],
        deletes: [{ table: 't', key: 'x' }],
        positions: new Map([['one', 9n]]),
      })
      expect(await codeOf(() => zombie.flush(late))).toBe('FENCED')
      expect((await holder.load('t', ['x', 'z'])).map(textOf)).toEqual(['1', undefined])
      await holder.flush(changes({ puts: [put('x', '2')], positions: new Map([['one', 2n]]) }))
      const next = await under.store.acquire('a')
      expect(new Map(next.positions)).toEqual(new Map([['one', 2n]]))
      expect((await next.load('t', ['x'])).map(textOf)).toEqual(['2'])
    })

    test('what was staged becomes visible to others with the flush, together with its positions', async () => {
      const state = await under.store.acquire('a')
      await state.flush(changes({ puts: [put('x', '1'), put('y', '1'), put('z', '1')] }))
      const other = await under.another()
      const seen = async (key: string) => textOf(await other.peek('a', 't', key))
      await state.stage(changes({ puts: [put('x', '2')], deletes: [{ table: 't', key: 'y' }] }))
      await state.stage(changes({ puts: [put('x', '3'), put('y', '3'), put('w', '3')] }))
      if (other !== under.store)
        expect([await seen('x'), await seen('y'), await seen('w')]).toEqual(['1', '1', undefined])
      expect(state.positions.size).toBe(0)
      await state.flush(changes({ positions: new Map([['one', 3n]]), deletes: [{ table: 't', key: 'w' }] }))
      expect([await seen('x'), await seen('y'), await seen('w'), await seen('z')]).toEqual(['3', '3', undefined, '1'])
      expect(new Map(state.positions)).toEqual(new Map([['one', 3n]]))
    })

    test('who acquires a task in the middle of a flush finds nothing of it, and its stager is fenced', async () => {
      const former = await under.store.acquire('a')
      await former.flush(changes({ puts: [put('x', '1')], positions: new Map([['one', 1n]]) }))
      await former.stage(changes({ puts: [put('x', '2'), put('y', '2')] }))
      const holder = await under.store.acquire('a')
      expect(new Map(holder.positions)).toEqual(new Map([['one', 1n]]))
      expect((await holder.load('t', ['x', 'y'])).map(textOf)).toEqual(['1', undefined])
      expect(await codeOf(() => former.stage(changes({ puts: [put('z', '2')] })))).toBe('FENCED')
      expect(await codeOf(() => former.flush(changes({ positions: new Map([['one', 2n]]) })))).toBe('FENCED')
      await holder.stage(changes({ puts: [put('z', '3')] }))
      await holder.flush(changes({ positions: new Map([['one', 3n]]) }))
      const next = await (await under.another()).acquire('a')
      expect((await next.load('t', ['x', 'y', 'z'])).map(textOf)).toEqual(['1', undefined, '3'])
      expect(new Map(next.positions)).toEqual(new Map([['one', 3n]]))
    })

    test('two tasks that stage at a time: each flush has all of its parts, or fails, may be retried, and has none', async () => {
      const a = await under.store.acquire('a')
      const b = await under.store.acquire('b')
      await a.stage(changes({ puts: [put('x', 'a')] }))
      await b.stage(changes({ puts: [put('x', 'b')] }))
      await b.flush(changes({ puts: [put('y', 'b')] }))
      expect((await b.load('t', ['x', 'y'])).map(textOf)).toEqual(['b', 'b'])
      let isWhole = true
      try {
        await a.flush(changes({ puts: [put('y', 'a')] }))
      } catch (error) {
        expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', retryable: true })
        isWhole = false
      }
      expect((await a.load('t', ['x', 'y'])).map(textOf)).toEqual(isWhole ? ['a', 'a'] : [undefined, undefined])
      await a.flush(changes({ puts: [put('z', 'a')] }))
      expect((await a.load('t', ['z'])).map(textOf)).toEqual(['a'])
    })

    test('state that has not expired is never dropped, expired state does not pile up', async () => {
      const state = await under.store.acquire('a')
      const lasting = Array.from({ length: 300 }, (_, i) => put(`${i} lasting`, 'l', i % 2 === 0 ? null : 1e9))
      await state.flush(changes({ puts: lasting, watermarkMs: 0 }))
      for (let wave = 1; wave <= 60; wave++) {
        const puts = Array.from({ length: 100 }, (_, i) => put(`${i} of wave ${wave}`, 'w', wave * 10))
        await state.flush(changes({ puts, watermarkMs: wave * 10 }))
        expect(
          (
            await state.load(
              't',
              puts.map(({ key }) => key),
            )
          ).every((value) => value !== undefined),
        ).toBe(true)
      }
      expect(
        (
          await state.load(
            't',
            lasting.map(({ key }) => key),
          )
        ).every((value) => value !== undefined),
      ).toBe(true)
      expect((await state.scan('t')).length).toBeLessThan(300 + 6000 / 3)
    })

    test('a key that is put again with a later expiry stays', async () => {
      const state = await under.store.acquire('a')
      await state.flush(changes({ puts: [put('x', '1', 10)], watermarkMs: 0 }))
      await state.flush(changes({ puts: [put('x', '2', 1e6)], watermarkMs: 5 }))
      for (let i = 0; i < 10; i++) {
        const puts = Array.from({ length: 200 }, (_, j) => put(`${i} ${j}`, 'w', 20))
        await state.flush(changes({ puts, watermarkMs: 100 + i }))
      }
      expect((await state.load('t', ['x'])).map(textOf)).toEqual(['2'])
    })

    test('any sequence of flushes and takeovers matches the naive model', async () => {
      const key = fc.constantFrom('a', 'b', 'c', 'd')
      const table = fc.constantFrom('t', 'u')
      const step = fc.record({
        takeOver: fc.boolean(),
        diesMidFlush: fc.boolean(),
        inParts: fc.boolean(),
        puts: fc.array(fc.record({ table, key, value: fc.uint8Array({ maxLength: 4 }) }), { maxLength: 4 }),
        deletes: fc.array(fc.record({ table, key }), { maxLength: 3 }),
        next: fc.bigInt({ min: 0n, max: 2n ** 62n }),
      })
      let run = 0
      const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const task = `model ${++run}`
        const model = new Map<string, string>()
        let state = await under.store.acquire(task)
        for (const { takeOver, diesMidFlush, inParts, puts, deletes, next } of steps) {
          if (takeOver) state = await under.store.acquire(task)
          const lasting = puts.map((change) => ({ ...change, expiresAtMs: null }))
          for (const each of diesMidFlush ? lasting : []) await state.stage(changes({ puts: [each], deletes }))
          if (diesMidFlush) state = await under.store.acquire(task)
          if (inParts) {
            await state.stage(changes({ deletes }))
            for (const each of lasting) await state.stage(changes({ puts: [each] }))
          }
          const rest = inParts ? {} : { puts: lasting, deletes }
          await state.flush(changes({ ...rest, positions: new Map([['topic', next]]) }))
          for (const change of deletes) model.delete(`${change.table} ${change.key}`)
          for (const change of puts)
            model.set(`${change.table} ${change.key}`, Buffer.from(change.value).toString('hex'))
          const found = new Map<string, string>()
          for (const each of ['t', 'u']) {
            for (const [k, value] of await state.scan(each))
              found.set(`${each} ${k}`, Buffer.from(value).toString('hex'))
          }
          expect(found).toEqual(model)
          expect(new Map(state.positions)).toEqual(new Map([['topic', next]]))
        }
      })
      await fc.assert(property, { numRuns: 50 })
    })
  })
}
