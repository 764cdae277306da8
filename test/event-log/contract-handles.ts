import { describe, expect, test } from 'vitest'
import { codeOf, type LogUnderTest, readAll, record, TOPIC, topicSpec, values } from './harness.ts'

/** Contract, fifth part, for logs that several processes may open. */
export function describeHandles(under: () => LogUnderTest): void {
  describe('a second handle on the same log', () => {
    test('sees what the first has appended, and takes tasks over', async () => {
      const { log, another } = under()
      const other = await another!()
      await log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
      expect(await values(other)).toEqual(['a'])
      await other.append([{ topic: TOPIC, partition: 0, records: [record('b')] }])
      await log.append([{ topic: TOPIC, partition: 0, records: [record('c')] }])
      expect(await values(log)).toEqual(['a', 'b', 'c'])
      const zombie = await log.acquire('g', 't')
      await zombie.commit({ appends: [], positions: [{ topic: TOPIC, partition: 0, next: 1n }] })
      const holder = await other.acquire('g', 't')
      expect(await holder.committed(TOPIC, 0)).toBe(1n)
      expect(await codeOf(() => zombie.commit({ appends: [], positions: [] }))).toBe('FENCED')
    })

    test('is woken by an append of the first to a partition that it has read', async () => {
      const { log, another } = under()
      const other = await another!()
      await log.append([{ topic: TOPIC, partition: 0, records: [record('before')] }])
      expect(await values(other)).toEqual(['before'])
      await other.changed(1)
      const waiting = other.changed(600_000)
      await log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
      await waiting
      expect(await values(other)).toEqual(['before', 'a'])
    })

    test('sees topics, truncation and positions of the first', async () => {
      const { log, another } = under()
      const other = await another!()
      await log.ensureTopics([topicSpec({ name: 'late' })])
      await other.append([{ topic: 'late', partition: 1, records: [record('a'), record('b')] }])
      const [, second] = await readAll(log, 'late', 1)
      await log.truncate('late', 1, second!.offset)
      expect(await values(other, 'late', 1)).toEqual(['b'])
      await other.append([{ topic: 'late', partition: 1, records: [record('c')] }])
      expect(await values(log, 'late', 1)).toEqual(['b', 'c'])
    })
  })
}
