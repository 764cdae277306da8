import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Sends } from '../../streams/event-log/kafka-sends.ts'
import { codeOf, record, topicSpec } from './harness.ts'

const specOf = (name: string) => topicSpec({ name, maxRecordBytes: 1_000 })
const appends = fc.array(
  fc.record({
    topic: fc.constantFrom('a', 'b'),
    partition: fc.nat({ max: 2 }),
    records: fc.array(fc.nat({ max: 900 }), { maxLength: 40 }),
  }),
  { maxLength: 6 },
)

describe('what is sent to Kafka', () => {
  test('every record once, in order per partition, no batch over the limit, one batch per partition and call', () => {
    fc.assert(
      fc.property(appends, (wanted) => {
        let count = 0
        const named = wanted.map((each) => ({
          ...each,
          records: each.records.map((sizeBytes) => record(`${count++} `.padEnd(sizeBytes))),
        }))
        const sends = new Sends(named, specOf)
        const sent = new Map<string, string[]>()
        for (const call of sends.calls) {
          expect(new Set(call.map(({ topic, partition }) => `${topic}/${partition}`)).size).toBe(call.length)
          for (const { topic, partition, messages } of call) {
            const values = messages.map(({ value }) => Buffer.from(value!).toString())
            expect(values.join('').length).toBeLessThanOrEqual(1_000 + 1_024)
            sent.set(`${topic}/${partition}`, [...(sent.get(`${topic}/${partition}`) ?? []), ...values])
          }
        }
        const expected = new Map<string, string[]>()
        for (const { topic, partition, records } of named) {
          if (records.length === 0) continue
          const id = `${topic}/${partition}`
          expected.set(id, [...(expected.get(id) ?? []), ...records.map(({ value }) => String(value))])
        }
        expect(sent).toEqual(expected)
      }),
    )
  })

  test('the first offset of each entry follows from the offsets of its batches, whichever entries share a partition', () => {
    fc.assert(
      fc.property(appends, fc.nat({ max: 50 }), (wanted, gap) => {
        const named = wanted.map((each) => ({
          ...each,
          records: each.records.map((sizeBytes) => record('x'.repeat(sizeBytes))),
        }))
        const sends = new Sends(named, specOf)
        // A broker that leaves a gap between batches, as other producers would.
        const ends = new Map<string, number>()
        const offsets = new Map<string, number[]>()
        sends.begin()
        for (const call of sends.calls) {
          const answers = call.map(({ topic, partition, messages }) => {
            const id = `${topic}/${partition}`
            const base = (ends.get(id) ?? 0) + gap
            ends.set(id, base + messages.length)
            offsets.set(id, [...(offsets.get(id) ?? []), ...messages.map((_, i) => base + i)])
            return { topic, partition, baseOffset: BigInt(base) }
          })
          sends.sent(call, answers)
        }
        const at = new Map<string, number>()
        const expected = named.map(({ topic, partition, records }) => {
          const id = `${topic}/${partition}`
          const first = at.get(id) ?? 0
          at.set(id, first + records.length)
          return records.length === 0 ? undefined : BigInt(offsets.get(id)![first]!)
        })
        expect(sends.firstOffsets()).toEqual(expected)
        for (const { topic, partition, end } of sends.ends().slice(-1)) {
          expect(Number(end)).toBe(ends.get(`${topic}/${partition}`))
        }
      }),
    )
  })

  test('a record over the limit is refused', async () => {
    const large = [{ topic: 'a', partition: 0, records: [record('x'.repeat(1_001))] }]
    expect(await codeOf(() => new Sends(large, specOf))).toBe('RECORD_TOO_LARGE')
  })
})
