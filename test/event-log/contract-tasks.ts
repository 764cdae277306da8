import { describe, expect, test } from 'vitest'
import { codeOf, type LogUnderTest, record, TOPIC, values } from './harness.ts'

const at = (next: bigint, partition = 0) => ({ topic: TOPIC, partition, next })
const adds = (value: string, partition = 0) => ({ topic: TOPIC, partition, records: [record(value)] })

/** Contract, second part: tasks, their commits and positions, and commits that become durable together. */
export function describeTasks(under: () => LogUnderTest): void {
  describe('tasks', () => {
    test('a commit makes appends and positions readable together', async () => {
      const { log } = under()
      const writer = await log.acquire('g', 'task 0')
      expect(await writer.committed(TOPIC, 0)).toBeUndefined()
      await writer.commit({ appends: [adds('a'), adds('b', 1)], positions: [at(5n), at(7n, 1)] })
      expect(await values(log)).toEqual(['a'])
      expect(await values(log, TOPIC, 1)).toEqual(['b'])
      expect(await writer.committed(TOPIC, 0)).toBe(5n)
      expect(await log.committed('g', TOPIC, 1)).toBe(7n)
      expect(await log.committed('other', TOPIC, 1)).toBeUndefined()
    })

    test('positions alone, appends alone and nothing at all can be committed', async () => {
      const { log } = under()
      const writer = await log.acquire('g', 'task 0')
      await writer.commit({ appends: [], positions: [at(3n)] })
      await writer.commit({ appends: [adds('a')], positions: [] })
      await writer.commit({ appends: [], positions: [] })
      expect(await log.committed('g', TOPIC, 0)).toBe(3n)
      expect(await values(log)).toEqual(['a'])
    })

    test('a commit that is refused changes nothing', async () => {
      const { log } = under()
      const writer = await log.acquire('g', 'task 0')
      await writer.commit({ appends: [], positions: [at(1n)] })
      const tooLarge = { topic: TOPIC, partition: 1, records: [record('x'.repeat(100_001))] }
      const refused = () => writer.commit({ appends: [adds('a'), tooLarge], positions: [at(2n)] })
      expect(await codeOf(refused)).toBe('RECORD_TOO_LARGE')
      expect(await values(log)).toEqual([])
      expect(await log.committed('g', TOPIC, 0)).toBe(1n)
      await writer.commit({ appends: [adds('b')], positions: [at(2n)] })
      expect(await values(log)).toEqual(['b'])
    })

    test("a new holder sees the old one's position, and the old one's commits change nothing any more", async () => {
      const { log } = under()
      const zombie = await log.acquire('g', 'task 0')
      await zombie.commit({ appends: [adds('a')], positions: [at(1n)] })
      const holder = await log.acquire('g', 'task 0')
      expect(await holder.committed(TOPIC, 0)).toBe(1n)
      const late = () => zombie.commit({ appends: [adds('zombie')], positions: [at(9n)] })
      expect(await codeOf(late)).toBe('FENCED')
      await holder.commit({ appends: [adds('b')], positions: [at(2n)] })
      expect(await codeOf(late)).toBe('FENCED')
      expect(await values(log)).toEqual(['a', 'b'])
      expect(await holder.committed(TOPIC, 0)).toBe(2n)
    })

    test('tasks and groups do not fence one another', async () => {
      const { log } = under()
      const first = await log.acquire('g', 'task 0')
      const second = await log.acquire('g', 'task 1')
      const third = await log.acquire('h', 'task 0')
      await first.commit({ appends: [adds('1')], positions: [at(1n)] })
      await second.commit({ appends: [adds('2')], positions: [at(2n, 1)] })
      await third.commit({ appends: [adds('3')], positions: [at(3n)] })
      expect(await values(log)).toEqual(['1', '2', '3'])
      expect(await log.committed('g', TOPIC, 0)).toBe(1n)
      expect(await log.committed('h', TOPIC, 0)).toBe(3n)
    })
  })

  describe('together', () => {
    test('commits and appends inside are all there afterwards', async () => {
      const { log } = under()
      const writer = await log.acquire('g', 'task 0')
      const answer = await log.together(async () => {
        await log.append([adds('a')])
        await writer.commit({ appends: [adds('b')], positions: [at(1n)] })
        await writer.commit({ appends: [adds('c', 1)], positions: [at(2n)] })
        return 'done'
      })
      expect(answer).toBe('done')
      expect(await values(log)).toEqual(['a', 'b'])
      expect(await values(log, TOPIC, 1)).toEqual(['c'])
      expect(await log.committed('g', TOPIC, 0)).toBe(2n)
    })

    test('when the work throws, none of it happened, and the log goes on', async () => {
      const { log } = under()
      const writer = await log.acquire('g', 'task 0')
      await writer.commit({ appends: [adds('a')], positions: [at(1n)] })
      const failing = async () =>
        log.together(async () => {
          await log.append([adds('x', 1)])
          await writer.commit({ appends: [adds('b')], positions: [at(2n)] })
          throw new Error('on purpose')
        })
      await expect(failing()).rejects.toThrow('on purpose')
      expect(await values(log)).toEqual(['a'])
      expect(await values(log, TOPIC, 1)).toEqual([])
      expect(await log.committed('g', TOPIC, 0)).toBe(1n)
      await writer.commit({ appends: [adds('c')], positions: [at(3n)] })
      expect(await values(log)).toEqual(['a', 'c'])
      expect(await writer.committed(TOPIC, 0)).toBe(3n)
    })

    test('a refused commit inside changes nothing, and the work may go on', async () => {
      const { log } = under()
      const zombie = await log.acquire('g', 'task 0')
      const holder = await log.acquire('g', 'task 0')
      await log.together(async () => {
        await holder.commit({ appends: [adds('a')], positions: [at(1n)] })
        expect(await codeOf(() => zombie.commit({ appends: [adds('z')], positions: [at(9n)] }))).toBe('FENCED')
      })
      expect(await values(log)).toEqual(['a'])
      expect(await log.committed('g', TOPIC, 0)).toBe(1n)
    })

    test('one inside another joins it: the outer failure undoes both', async () => {
      const { log } = under()
      const outer = async () =>
        log.together(async () => {
          await log.together(() => log.append([adds('inner')]))
          throw new Error('outer')
        })
      await expect(outer()).rejects.toThrow('outer')
      expect(await values(log)).toEqual([])
    })

    test('a failure inside another cannot be swallowed', async () => {
      const { log } = under()
      const inner = async () =>
        log.together(async () => {
          await log.append([adds('inner')])
          throw new Error('inner')
        })
      const outer = async () =>
        log.together(async () => {
          await log.append([adds('outer')])
          await inner().catch(() => undefined)
        })
      await expect(outer()).rejects.toThrow('inner')
      expect(await values(log)).toEqual([])
    })
  })
}
