import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { headerText } from '../../streams/event-log/headers.ts'
import { describeCleaning } from './contract-cleaning.ts'
import { describeHandles } from './contract-handles.ts'
import { describeModel } from './contract-model.ts'
import { describeTasks } from './contract-tasks.ts'
import { bytesOf, codeOf, type LogUnderTest, readAll, record, TOPIC, text, topicSpec, values } from './harness.ts'

/**
 * The contract of the event log, run over every adapter. It never assumes that an answer is synchronous or that
 * offsets follow one another: Kafka's have gaps.
 */
export function describeEventLog(
  name: string,
  handles: 'one handle' | 'several handles',
  open: () => Promise<LogUnderTest>,
): void {
  describe(`event log: ${name}`, () => {
    let under: LogUnderTest
    beforeEach(async () => {
      under = await open()
      await under.log.ensureTopics([topicSpec()])
    })
    afterEach(() => under.close())

    describe('topics', () => {
      test('ensureTopics creates what is missing and leaves what is there', async () => {
        await under.log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
        await under.log.ensureTopics([topicSpec(), topicSpec({ name: 'other', partitions: 3 })])
        const topics = await under.log.topics()
        expect([...topics.keys()].sort()).toEqual([TOPIC, 'other'])
        expect(topics.get('other')).toEqual(topicSpec({ name: 'other', partitions: 3 }))
        expect(await values(under.log)).toEqual(['a'])
      })

      test('another partition count is a mismatch, and nothing is created', async () => {
        const wanted = [topicSpec({ name: 'new' }), topicSpec({ partitions: 5 })]
        expect(await codeOf(() => under.log.ensureTopics(wanted))).toBe('TOPIC_MISMATCH')
        expect([...(await under.log.topics()).keys()]).toEqual([TOPIC])
      })

      test('an unknown topic or partition is missing', async () => {
        const limits = { maxRecords: 1, maxBytes: 1 }
        expect(await codeOf(() => under.log.fetch('nope', 0, 0n, limits))).toBe('TOPIC_MISSING')
        expect(await codeOf(() => under.log.bounds(TOPIC, 2))).toBe('TOPIC_MISSING')
        const stray = [
          { topic: TOPIC, partition: 0, records: [record('a')] },
          { topic: TOPIC, partition: 7, records: [record('b')] },
        ]
        expect(await codeOf(() => under.log.append(stray))).toBe('TOPIC_MISSING')
        expect(await values(under.log)).toEqual([])
      })
    })

    describe('append and fetch', () => {
      test('records come back in order, per partition, with growing offsets', async () => {
        const firsts = await under.log.append([
          { topic: TOPIC, partition: 0, records: [record('a'), record('b')] },
          { topic: TOPIC, partition: 1, records: [record('x')] },
        ])
        const [later] = await under.log.append([{ topic: TOPIC, partition: 0, records: [record('c')] }])
        const records = await readAll(under.log)
        expect(records.map((found) => text(found.value))).toEqual(['a', 'b', 'c'])
        expect(records[0]!.offset).toBe(firsts[0])
        expect(records[2]!.offset).toBe(later)
        expect(records[1]!.offset > records[0]!.offset && records[2]!.offset > records[1]!.offset).toBe(true)
        expect(await values(under.log, TOPIC, 1)).toEqual(['x'])
      })

      test('key, value, headers and timestamp come back as they were', async () => {
        const key = Uint8Array.from([0, 255, 1])
        const headers = { plain: 'häder', raw: Uint8Array.from([0, 200, 7]), empty: '', ['__proto__']: 'kept' }
        const value = Uint8Array.from([9, 0, 255])
        const written = { key, value, headers, timestampMs: 1_700_000_000_123 }
        await under.log.append([{ topic: TOPIC, partition: 0, records: [written, record('bare')] }])
        const [full, bare] = await readAll(under.log)
        expect([...full!.key!]).toEqual([...key])
        expect([...bytesOf(full!.value)!]).toEqual([...value])
        expect(full!.timestampMs).toBe(1_700_000_000_123)
        expect(Object.keys(full!.headers).sort()).toEqual(Object.keys(headers).sort())
        expect(headerText(full!.headers, 'plain')).toBe('häder')
        expect(headerText(full!.headers, 'empty')).toBe('')
        expect(headerText(full!.headers, '__proto__')).toBe('kept')
        expect(headerText(full!.headers, 'absent')).toBeUndefined()
        expect([...Buffer.from(full!.headers['raw']!)]).toEqual([0, 200, 7])
        expect(bare!.key).toBeNull()
        expect(Object.keys(bare!.headers)).toEqual([])
      })

      test('an empty key and an empty value are not null, a tombstone is', async () => {
        const empty = { key: new Uint8Array(0), value: new Uint8Array(0), timestampMs: 0 }
        await under.log.append([{ topic: TOPIC, partition: 0, records: [empty, record(null)] }])
        const [first, tombstone] = await readAll(under.log)
        expect(first!.key?.byteLength).toBe(0)
        expect(bytesOf(first!.value)?.byteLength).toBe(0)
        expect(tombstone!.value).toBeNull()
      })

      test('a lazy value reads as its bytes', async () => {
        const lazy = { bytes: () => Buffer.from('lazy') }
        await under.log.append([
          { topic: TOPIC, partition: 0, records: [record('a'), { ...record(null), value: lazy }] },
        ])
        expect(await values(under.log)).toEqual(['a', 'lazy'])
      })

      test('maxRecords and maxBytes bound a fetch, one record comes even when it is larger', async () => {
        const large = 'x'.repeat(1000)
        const records = [record(large), record(large), record('s'), record('t')]
        const [first] = await under.log.append([{ topic: TOPIC, partition: 0, records }])
        const one = await under.log.fetch(TOPIC, 0, first!, { maxRecords: 10, maxBytes: 10 })
        expect(one.records.length).toBe(1)
        const two = await under.log.fetch(TOPIC, 0, one.next, { maxRecords: 10, maxBytes: 1500 })
        expect(two.records.map((found) => text(found.value))).toEqual([large, 's', 't'])
        const counted = await under.log.fetch(TOPIC, 0, first!, { maxRecords: 2, maxBytes: 1 << 20 })
        expect(counted.records.length).toBe(2)
        expect((await readAll(under.log, TOPIC, 0, counted.next)).map((found) => text(found.value))).toEqual(['s', 't'])
      })

      test('a fetch at the end is empty and stays there, beyond it is out of range', async () => {
        await under.log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
        const { end } = await under.log.bounds(TOPIC, 0)
        const limits = { maxRecords: 10, maxBytes: 1000 }
        expect(await under.log.fetch(TOPIC, 0, end, limits)).toMatchObject({ records: [], next: end })
        expect(await codeOf(() => under.log.fetch(TOPIC, 0, end + 1n, limits))).toBe('OFFSET_OUT_OF_RANGE')
      })

      test('a record over maxRecordBytes is refused, and the whole append with it', async () => {
        const tooLarge = record('x'.repeat(99_990), { key: Buffer.from('elevenbytes') })
        const appends = [{ topic: TOPIC, partition: 0, records: [record('a'), tooLarge] }]
        expect(await codeOf(() => under.log.append(appends))).toBe('RECORD_TOO_LARGE')
        const inHeaders = record('', { headers: { h: 'x'.repeat(100_000) } })
        const second = [{ topic: TOPIC, partition: 0, records: [inHeaders] }]
        expect(await codeOf(() => under.log.append(second))).toBe('RECORD_TOO_LARGE')
        expect(await values(under.log)).toEqual([])
      })

      test('a lazy value over maxRecordBytes is refused where its size is known', async () => {
        const lazy = { ...record(null), value: { bytes: () => new Uint8Array(100_001) } }
        const append = () => under.log.append([{ topic: TOPIC, partition: 0, records: [lazy] }])
        if (under.lazySizes === 'counted') expect(await codeOf(append)).toBe('RECORD_TOO_LARGE')
        else await append()
        expect((await readAll(under.log)).length).toBe(under.lazySizes === 'counted' ? 0 : 1)
      })
    })

    describe('changed', () => {
      test('resolves at once after an append that it has not seen', async () => {
        await under.log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
        await under.log.changed(600_000)
      })

      test('resolves when something is appended while it waits', async () => {
        await under.log.append([{ topic: TOPIC, partition: 0, records: [record('a')] }])
        await under.log.changed(600_000)
        const waiting = under.log.changed(600_000)
        await under.log.append([{ topic: TOPIC, partition: 0, records: [record('b')] }])
        await waiting
      })

      test('resolves without an append once the time is over', async () => {
        await under.log.changed(5)
        await under.log.changed(5)
      })
    })

    describeTasks(() => under)
    describeCleaning(() => under)
    describeModel(() => under)
    if (handles === 'several handles') describeHandles(() => under)
  })
}
