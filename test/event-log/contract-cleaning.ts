import { describe, expect, test } from 'vitest'
import { codeOf, keyed, type LogUnderTest, readAll, record, TOPIC, text, topicSpec, values } from './harness.ts'

const LIMITS = { maxRecords: 100, maxBytes: 1 << 20 }

/** Contract, third part: records that are no longer needed, and finding records by time. */
export function describeCleaning(under: () => LogUnderTest): void {
  const at = (timestampMs: number) => record(`${timestampMs}`, { timestampMs })

  describe('truncate', () => {
    test('records before the offset are gone, asking for them is out of range, the rest stays', async () => {
      const { log } = under()
      await log.append([{ topic: TOPIC, partition: 0, records: ['a', 'b', 'c', 'd'].map((value) => record(value)) }])
      const offsets = (await readAll(log)).map((found) => found.offset)
      await log.truncate(TOPIC, 0, offsets[2]!)
      expect((await log.bounds(TOPIC, 0)).start).toBe(offsets[2])
      expect(await codeOf(() => log.fetch(TOPIC, 0, offsets[1]!, LIMITS))).toBe('OFFSET_OUT_OF_RANGE')
      expect(await values(log)).toEqual(['c', 'd'])
      await log.truncate(TOPIC, 0, offsets[1]!)
      expect(await values(log)).toEqual(['c', 'd'])
    })

    test('truncating everything keeps the end: new records get larger offsets', async () => {
      const { log } = under()
      await log.append([{ topic: TOPIC, partition: 0, records: [record('a'), record('b')] }])
      const { end } = await log.bounds(TOPIC, 0)
      await log.truncate(TOPIC, 0, end)
      expect(await log.bounds(TOPIC, 0)).toEqual({ start: end, end })
      const [first] = await log.append([{ topic: TOPIC, partition: 0, records: [record('c')] }])
      expect(first! >= end).toBe(true)
      expect(await values(log)).toEqual(['c'])
    })

    test('a long queue is truncated piece by piece without losing or repeating a record', async () => {
      const { log } = under()
      const seen: string[] = []
      for (let round = 0; round < 40; round++) {
        const records = Array.from({ length: 70 }, (_, i) => record(`${round * 70 + i}`))
        await log.append([{ topic: TOPIC, partition: 0, records }])
        if (round % 3 === 0) continue
        const { start } = await log.bounds(TOPIC, 0)
        const fetched = await log.fetch(TOPIC, 0, start, LIMITS)
        seen.push(...fetched.records.map((found) => text(found.value)!))
        await log.truncate(TOPIC, 0, fetched.next)
      }
      seen.push(...(await values(log)).map((value) => value!))
      expect(seen).toEqual(Array.from({ length: 2800 }, (_, i) => `${i}`))
    })
  })

  describe('offsetAt', () => {
    test('is the first record at or after the time, also when times are out of order; else the end', async () => {
      const { log } = under()
      await log.append([{ topic: TOPIC, partition: 0, records: [at(10), at(30), at(20), at(40)] }])
      const offsets = (await readAll(log)).map((found) => found.offset)
      const { end } = await log.bounds(TOPIC, 0)
      expect(await log.offsetAt(TOPIC, 0, 0)).toBe(offsets[0])
      expect(await log.offsetAt(TOPIC, 0, 11)).toBe(offsets[1])
      expect(await log.offsetAt(TOPIC, 0, 30)).toBe(offsets[1])
      expect(await log.offsetAt(TOPIC, 0, 31)).toBe(offsets[3])
      expect(await log.offsetAt(TOPIC, 0, 41)).toBe(end)
      expect(await log.offsetAt(TOPIC, 1, 0)).toBe((await log.bounds(TOPIC, 1)).end)
    })

    test('finds its way in a long partition, truncated or not', async () => {
      const { log } = under()
      const timestampOf = (i: number) => i * 10 + ((i * 7919) % 13) * 8
      const records = Array.from({ length: 5000 }, (_, i) => at(timestampOf(i)))
      await log.append([{ topic: TOPIC, partition: 0, records }])
      const check = async () => {
        const held = await readAll(log)
        for (const timestampMs of [0, 9_999, 10_240, 20_485, 30_007, 49_990]) {
          const expected = held.find((found) => found.timestampMs >= timestampMs)!.offset
          expect(await log.offsetAt(TOPIC, 0, timestampMs)).toBe(expected)
        }
      }
      await check()
      await log.truncate(TOPIC, 0, (await readAll(log))[2500]!.offset)
      await check()
    })
  })

  describe('clean', () => {
    test('retention drops records that are too old, from the front', async () => {
      const { log, cleaning } = under()
      await log.ensureTopics([topicSpec({ name: 'short', partitions: 1, retentionMs: 100 })])
      await log.append([{ topic: 'short', partition: 0, records: [at(0), at(50), at(120), at(60)] }])
      await log.append([{ topic: TOPIC, partition: 0, records: [at(0)] }])
      await log.clean(200)
      if (cleaning === 'when called') expect(await values(log, 'short')).toEqual(['120', '60'])
      expect(await values(log)).toEqual(['0'])
      await log.clean(1000)
      if (cleaning === 'when called') expect(await values(log, 'short')).toEqual([])
      await log.append([{ topic: 'short', partition: 0, records: [at(990)] }])
      expect((await values(log, 'short')).at(-1)).toBe('990')
    })

    test('compaction keeps the newest record of every key at its offset, and reading on works from anywhere', async () => {
      const { log, cleaning } = under()
      await log.ensureTopics([topicSpec({ name: 'table', partitions: 2, cleanup: 'compact' })])
      const records = [keyed('a', '1'), keyed('b', '1'), keyed('a', '2'), keyed('c', '1'), keyed('b', null)]
      await log.append([{ topic: 'table', partition: 0, records }])
      await log.append([{ topic: 'table', partition: 1, records: [keyed('a', 'other partition')] }])
      const before = await readAll(log, 'table')
      await log.clean(0)
      const after = await readAll(log, 'table', 0, before[0]!.offset)
      const newest = new Map(before.map((found) => [Buffer.from(found.key!).toString(), found]))
      const kept = new Map(after.map((found) => [Buffer.from(found.key!).toString(), found]))
      expect([...kept.keys()].sort()).toEqual(['a', 'b', 'c'])
      for (const [key, found] of kept) {
        expect(found.offset).toBe(newest.get(key)!.offset)
        expect(text(found.value)).toBe(text(newest.get(key)!.value))
      }
      if (cleaning === 'when called') expect(after.length).toBe(3)
      for (const { offset } of before) {
        const rest = await readAll(log, 'table', 0, offset, 1)
        expect(rest.map((found) => found.offset)).toEqual(after.map((found) => found.offset).filter((o) => o >= offset))
      }
      await log.append([{ topic: 'table', partition: 0, records: [keyed('c', '2')] }])
      await log.clean(0)
      const last = (await readAll(log, 'table')).filter((found) => Buffer.from(found.key!).toString() === 'c')
      expect(text(last.at(-1)!.value)).toBe('2')
      expect(await values(log, 'table', 1)).toEqual(['other partition'])
    })

    test('a tombstone goes after the retention time; before, readers still see it', async () => {
      const { log, cleaning } = under()
      await log.ensureTopics([topicSpec({ name: 'table', partitions: 1, cleanup: 'compact', retentionMs: 100 })])
      const records = [keyed('a', '1', 0), keyed('b', '1', 0), keyed('a', null, 10)]
      await log.append([{ topic: 'table', partition: 0, records }])
      await log.clean(110)
      expect((await values(log, 'table')).at(-1)).toBeNull()
      await log.clean(111)
      const { start, end } = await log.bounds('table', 0)
      if (cleaning === 'when called') expect(await values(log, 'table')).toEqual(['1'])
      const fetched = await log.fetch('table', 0, start, LIMITS)
      const rest = await log.fetch('table', 0, fetched.next, LIMITS)
      expect(rest).toMatchObject({ records: [], next: end })
    })
  })
}
