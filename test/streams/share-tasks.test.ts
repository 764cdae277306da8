import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shareTasks } from '../../streams/share-tasks.ts'

const tasks = fc.uniqueArray(fc.integer({ min: 0, max: 14 }), { maxLength: 15 })
const members = fc.uniqueArray(fc.record({ id: fc.uuid(), held: tasks, sinceMs: fc.nat({ max: 3 }) }), {
  selector: ({ id }) => id,
  minLength: 1,
  maxLength: 6,
})

describe('sharing tasks out', () => {
  test('every task has exactly one member, and members differ by one task at most', () => {
    fc.assert(
      fc.property(members, fc.nat({ max: 15 }), (present, count) => {
        const shares = [...shareTasks(present, count).values()]
        expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, task) => task))
        const sizes = shares.map((share) => share.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('does not depend on the order in which members come', () => {
    fc.assert(
      fc.property(members, fc.nat({ max: 15 }), (present, count) => {
        const shares = shareTasks(present, count)
        const again = shareTasks([...present].reverse(), count)
        for (const { id } of present) expect(again.get(id)).toEqual(shares.get(id))
      }),
    )
  })

  test('a second member takes half, and the first keeps the rest of its own', () => {
    const first = { id: 'a', held: [0, 1, 2, 3, 4, 5], sinceMs: 1 }
    const shares = shareTasks([first, { id: 'b', held: [], sinceMs: 0 }], 6)
    expect(shares.get('a')).toEqual([0, 1, 2])
    expect(shares.get('b')).toEqual([3, 4, 5])
  })

  test('when one of three leaves, the others keep what they have', () => {
    const shares = shareTasks(
      [
        { id: 'a', held: [0, 5], sinceMs: 1 },
        { id: 'c', held: [2, 3], sinceMs: 1 },
      ],
      6,
    )
    expect(shares.get('a')).toEqual(expect.arrayContaining([0, 5]))
    expect(shares.get('c')).toEqual(expect.arrayContaining([2, 3]))
  })

  test('where two claim a task, the one that got it later has it: a process that slept comes back in vain', () => {
    const shares = shareTasks(
      [
        { id: 'zombie', held: [0, 1], sinceMs: 1 },
        { id: 'holder', held: [0, 1], sinceMs: 2 },
      ],
      4,
    )
    expect(shares.get('holder')).toEqual([0, 1])
    expect(shares.get('zombie')).toEqual([2, 3])
  })

  test('nobody is there: nobody gets anything', () => {
    expect(shareTasks([], 4).size).toBe(0)
  })
})
