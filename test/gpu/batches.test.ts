import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alignBatches } from '../../gpu/train/aligned-batches.ts'
import { seededRandom } from '../../gpu/train/parameters.ts'
import { replayBuffer } from '../../gpu/train/replay-buffer.ts'

const options = { tasks: 2, spanMs: 10, maxPerTask: 100, maxWaiting: 1_000 }

describe('aligned batches', () => {
  it('wait for the slowest topic, and hold the same span of every task', () => {
    const batches = alignBatches<string>(options)
    batches.push(
      0,
      [1, 4, 12, 25].map((eventTimeMs) => ({ eventTimeMs, example: `a${eventTimeMs}` })),
    )
    batches.advance(0, 30)
    expect(batches.take()).toEqual([])
    batches.push(1, [{ eventTimeMs: 15, example: 'b15' }])
    batches.advance(1, 20)
    expect(batches.take()).toEqual([
      { fromMs: 0, toMs: 10, tasks: [['a1', 'a4'], []] },
      { fromMs: 10, toMs: 20, tasks: [['a12'], ['b15']] },
    ])
    batches.advance(1, 30)
    expect(batches.take()).toEqual([{ fromMs: 20, toMs: 30, tasks: [['a25'], []] }])
  })

  it('are the same however the topics are pushed', () => {
    const times = fc
      .array(fc.integer({ min: 0, max: 200 }), { maxLength: 40 })
      .map((list) => list.sort((a, b) => a - b))
    fc.assert(
      fc.property(
        times,
        times,
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }),
        (a, b, cuts) => {
          const topics = [a, b].map((list) =>
            list.map((eventTimeMs, i) => ({ eventTimeMs, example: `${eventTimeMs}-${i}` })),
          )
          const atOnce = alignBatches<string>(options)
          topics.forEach((topic, task) => {
            atOnce.push(task, topic)
            atOnce.advance(task, 1_000)
          })
          const inParts = alignBatches<string>(options)
          const taken: unknown[] = []
          const next = [0, 0]
          for (let round = 0; next.some((at, task) => at < topics[task]!.length); round++) {
            const task = round % 2
            const count = cuts[round % cuts.length]!
            const part = topics[task]!.slice(next[task], next[task]! + count)
            next[task]! += part.length
            inParts.push(task, part)
            inParts.advance(task, next[task]! < topics[task]!.length ? topics[task]![next[task]!]!.eventTimeMs : 1_000)
            taken.push(...inParts.take())
          }
          inParts.advance(0, 1_000)
          inParts.advance(1, 1_000)
          expect([...taken, ...inParts.take()]).toEqual(atOnce.take())
        },
      ),
    )
  })

  it('thin a task that is much faster, evenly', () => {
    const batches = alignBatches<number>({ ...options, maxPerTask: 3 })
    batches.push(
      0,
      [0, 1, 2, 3, 4, 5].map((eventTimeMs) => ({ eventTimeMs, example: eventTimeMs })),
    )
    batches.advance(0, 10)
    batches.advance(1, 10)
    expect(batches.take()[0]!.tasks).toEqual([[0, 2, 4], []])
  })

  it('refuse to go back in time, and to wait without bound', () => {
    const batches = alignBatches<number>({ ...options, maxWaiting: 2 })
    batches.push(0, [{ eventTimeMs: 5, example: 1 }])
    expect(() => batches.push(0, [{ eventTimeMs: 4, example: 1 }])).toThrow('went back')
    expect(() =>
      batches.push(
        0,
        [5, 6].map((eventTimeMs) => ({ eventTimeMs, example: 1 })),
      ),
    ).toThrow('more than 2')
  })
})

describe('the replay buffer', () => {
  it('holds a uniform sample of all it saw', () => {
    const counts = new Int32Array(10)
    for (let seed = 0; seed < 2_000; seed++) {
      const buffer = replayBuffer<number>(2, seededRandom(seed))
      for (let i = 0; i < 10; i++) buffer.add(i)
      for (const i of buffer.sample(1)) counts[i]!++
    }
    // 200 expected each, standard deviation 13.
    for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(80)
  })

  it('gives nothing when empty, and the same for the same seed', () => {
    expect(replayBuffer<number>(2, seededRandom(1)).sample(3)).toEqual([])
    const draw = () => {
      const buffer = replayBuffer<number>(5, seededRandom(7))
      for (let i = 0; i < 100; i++) buffer.add(i)
      return buffer.sample(20)
    }
    expect(draw()).toEqual(draw())
  })
})
