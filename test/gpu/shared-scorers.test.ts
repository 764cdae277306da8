import { expect, it } from 'vitest'
import type { Scorer } from '../../gpu/scorer.ts'
import { createSharedScorers } from '../../gpu/shared-scorers.ts'

function opening() {
  const count = { opened: 0, closed: 0 }
  const open = async (): Promise<Scorer> => {
    count.opened++
    const model = { name: 'm', version: String(count.opened), sha256: '' }
    return {
      model,
      score: async () => ({ outputs: new Map(), model, degraded: null }),
      close: async () => {
        count.closed++
      },
    }
  }
  return { count, open }
}

it('opens a scorer once for all who ask at the same time or later, and closes it with the last', async () => {
  const { count, open } = opening()
  const shared = createSharedScorers()
  const [first, second] = await Promise.all([shared.open('a', open), shared.open('a', open)])
  const third = await shared.open('a', open)
  expect(count).toEqual({ opened: 1, closed: 0 })
  await first.close()
  await second.close()
  expect((await third.score(new Float32Array(0), 0)).model.version).toBe('1')
  expect(count.closed).toBe(0)
  await third.close()
  expect(count.closed).toBe(1)
  expect((await shared.open('a', open)).model.version).toBe('2')
})

it('keeps keys apart', async () => {
  const { count, open } = opening()
  const shared = createSharedScorers()
  const a = await shared.open('a', open)
  await shared.open('b', open)
  await a.close()
  expect(count).toEqual({ opened: 2, closed: 1 })
})

it('fails for all who wait when opening fails, and tries again for the next', async () => {
  const { open } = opening()
  const shared = createSharedScorers()
  const failing = () => Promise.reject(new Error('refused'))
  const both = await Promise.allSettled([shared.open('a', failing), shared.open('a', failing)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect((await shared.open('a', open)).model.version).toBe('1')
})
