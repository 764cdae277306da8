import { expect, test } from 'vitest'
import { FlushBeside } from '../../streams/flush-beside.ts'
import type { Guard } from '../../streams/roster.ts'
import type { Task } from '../../streams/run-task.ts'

const limits = { everyMs: 1_000, partBytes: 100, mostBytes: 10 }
const guard: Guard = (_task, work) => work()

/** A task whose parts end when the test says so. */
function stubTask(unflushedBytes = 1) {
  const parts: { bytes: number; ends(hasMore: boolean): void; fails(error: Error): void }[] = []
  const task = {
    unflushedBytes,
    flushPart: (bytes: number) =>
      new Promise<boolean>((ends, fails) => {
        parts.push({ bytes, ends, fails })
      }),
  }
  return { parts, stub: task, task: task as unknown as Task }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a part begins when a flush is due, nobody waits for it, and one follows the other until the flush ends', async () => {
  let nowMs = 0
  const flush = new FlushBeside(() => nowMs, guard, limits)
  const one = stubTask()
  expect(await flush.advance([one.task])).toBe(false)
  expect(one.parts).toHaveLength(0)
  nowMs = 1_000
  expect(await flush.advance([one.task])).toBe(false)
  expect(await flush.advance([one.task])).toBe(false)
  expect(one.parts.map(({ bytes }) => bytes)).toEqual([100])
  one.parts[0]!.ends(true)
  await turn()
  await flush.advance([one.task])
  expect(one.parts).toHaveLength(2)
  one.parts[1]!.ends(false)
  await turn()
  expect(await flush.advance([one.task])).toBe(true)
  nowMs = 1_999
  expect(await flush.advance([one.task])).toBe(false)
  expect(one.parts).toHaveLength(2)
  nowMs = 2_000
  await flush.advance([one.task])
  expect(one.parts).toHaveLength(3)
})

test('one task at a time: the one that has waited longest', async () => {
  let nowMs = 0
  const flush = new FlushBeside(() => nowMs, guard, limits)
  const [one, other] = [stubTask(), stubTask()]
  const tasks = [one.task, other.task]
  await flush.advance(tasks)
  nowMs = 5_000
  await flush.advance(tasks)
  await flush.advance(tasks)
  expect([one.parts.length, other.parts.length]).toEqual([1, 0])
  one.parts[0]!.ends(false)
  await turn()
  await flush.advance(tasks)
  expect([one.parts.length, other.parts.length]).toEqual([1, 1])
})

test('where more has changed than may wait, parts are larger; where twice as much has, passes wait for them', async () => {
  const flush = new FlushBeside(() => 0, guard, limits)
  const other = stubTask(10)
  expect(await flush.advance([other.task])).toBe(false)
  expect(other.parts.map(({ bytes }) => bytes)).toEqual([400])
  other.parts[0]!.ends(false)
  await turn()
  const one = stubTask(20)
  let advanced = false
  const advancing = flush.advance([one.task]).then(() => {
    advanced = true
  })
  await turn()
  expect([advanced, one.parts.length]).toEqual([false, 1])
  one.stub.unflushedBytes = 0
  one.parts[0]!.ends(false)
  await advancing
  expect(one.parts.map(({ bytes }) => bytes)).toEqual([400])
})

test('what a part throws, the next call throws; of a task that has left, nobody hears', async () => {
  let nowMs = 0
  const flush = new FlushBeside(() => nowMs, guard, limits)
  const [one, other] = [stubTask(), stubTask()]
  await flush.advance([one.task])
  nowMs = 1_000
  await flush.advance([one.task])
  one.parts[0]!.fails(new Error('full'))
  await turn()
  await expect(flush.advance([one.task])).rejects.toThrow('full')
  await flush.advance([one.task])
  expect(one.parts).toHaveLength(2)
  nowMs = 2_000
  await flush.advance([other.task])
  one.parts[1]!.fails(new Error('gone'))
  await turn()
  await flush.advance([other.task])
  await flush.settled()
})
