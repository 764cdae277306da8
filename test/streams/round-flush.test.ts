import { expect, test } from 'vitest'
import { RoundFlush } from '../../streams/round-flush.ts'
import type { Task } from '../../streams/run-task.ts'

const limits = { everyMs: 1_000, partBytes: 100, mostBytes: 10 }

/** What `RoundFlush` looks at. */
function taskWith(state: { isFlushing: boolean; unflushedBytes: number }): Task {
  return state as Task
}

test('a flush is due some time after the last one, and takes a part of every round until it ends', () => {
  let nowMs = 0
  const flush = new RoundFlush(() => nowMs, limits)
  const state = { isFlushing: false, unflushedBytes: 1 }
  const tasks = [taskWith(state)]
  expect(flush.parts(tasks)).toEqual([0])
  nowMs = 1_000
  expect(flush.parts(tasks)).toEqual([100])
  state.isFlushing = true
  expect(flush.ended(tasks, [100])).toBe(false)
  nowMs = 1_100
  expect(flush.parts(tasks)).toEqual([100])
  state.isFlushing = false
  expect(flush.ended(tasks, [100])).toBe(true)
  nowMs = 2_000
  expect(flush.parts(tasks)).toEqual([0])
  nowMs = 2_100
  expect(flush.parts(tasks)).toEqual([100])
})

test('the more waits to be stored, the larger the parts, and no task is left out', () => {
  const flush = new RoundFlush(() => 0, limits)
  const [one, other] = [
    { isFlushing: false, unflushedBytes: 4 },
    { isFlushing: false, unflushedBytes: 5 },
  ]
  const tasks = [taskWith(one), taskWith(other)]
  expect(flush.parts(tasks)).toEqual([0, 0])
  other.unflushedBytes = 6
  expect(flush.parts(tasks)).toEqual([400, 400])
  one.unflushedBytes = 14
  expect(flush.parts(tasks)).toEqual([6_400, 6_400])
})
