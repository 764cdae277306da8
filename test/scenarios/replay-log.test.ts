import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { findStretches, logAdmissions } from '../../scenarios/replay-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import type { Admission } from '../../streams/replay.ts'

const PARTITIONS = 3
const topology = fraud.topology(PARTITIONS)
const topics = topology.sources.map(({ topic }) => topic)

interface Sent {
  readonly topic: string
  readonly partition: number
  readonly atMs: number
  readonly id: number
  readonly isDeletion: boolean
}

const sentRecords = fc
  .array(
    fc.record({
      topic: fc.constantFrom(...topics),
      partition: fc.nat(PARTITIONS - 1),
      atMs: fc.nat(50),
      isDeletion: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((all) => all.map((each, id): Sent => ({ ...each, id })).sort((a, b) => a.atMs - b.atMs))

async function logOf(sent: readonly Sent[]) {
  const log = createMemoryLog()
  await log.ensureTopics(topology.topics)
  for (const { topic, partition, atMs, id, isDeletion } of sent) {
    const key = id % 5 === 0 ? null : Buffer.from(`k${id}`)
    const value = isDeletion ? null : Buffer.from(`v${id}`)
    const headers = { id: Buffer.from(String(id)) }
    await log.append([{ topic, partition, records: [{ key, value, headers, timestampMs: atMs }] }])
  }
  return log
}

const idOf = ({ headers }: Admission): number => Number(Buffer.from(headers!['id']!).toString())

test('a range of a log comes whole, in the order of arrival, each partition in its own order, as it was', async () => {
  await fc.assert(
    fc.asyncProperty(sentRecords, fc.nat(50), fc.nat(50), async (sent, one, other) => {
      const [fromMs, toMs] = [Math.min(one, other), Math.max(one, other)]
      const expected = sent.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      const log = await logOf(sent)
      const range = { log, name: 'the log', fromMs, toMs }
      if (expected.length === 0) {
        await expect(findStretches(range, topology)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
        return
      }
      const admitted: Admission[] = []
      for await (const batch of logAdmissions(range, await findStretches(range, topology))) admitted.push(...batch)
      expect(admitted.map(idOf).sort((a, b) => a - b)).toEqual(expected.map(({ id }) => id).sort((a, b) => a - b))
      expect(admitted.map(({ atMs }) => atMs)).toEqual(expected.map(({ atMs }) => atMs))
      for (const topic of topics) {
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const own = expected.filter((each) => each.topic === topic && each.partition === partition)
          const ids = new Set(own.map(({ id }) => id))
          expect(admitted.map(idOf).filter((id) => ids.has(id))).toEqual(own.map(({ id }) => id))
        }
      }
      for (const admission of admitted) {
        const { id, topic, isDeletion } = sent.find((each) => each.id === idOf(admission))!
        const value = admission.value === null ? null : Buffer.from(admission.value).toString()
        expect([admission.topic, admission.key, value]).toEqual([
          topic,
          id % 5 === 0 ? null : `k${id}`,
          isDeletion ? null : `v${id}`,
        ])
      }
    }),
    { numRuns: 60 },
  )
})

test('a beginning that the log has dropped is an error, not a shorter range', async () => {
  const sent = [1, 2, 3, 4].map(
    (atMs): Sent => ({ topic: topics[0]!, partition: 0, atMs, id: atMs, isDeletion: false }),
  )
  const log = await logOf(sent)
  await log.truncate(topics[0]!, 0, 2n)
  const find = (fromMs: number | null) => findStretches({ log, name: 'the log', fromMs, toMs: null }, topology)
  await expect(find(2)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', message: expect.stringContaining('gone') })
  await expect(find(3)).rejects.toThrow('gone')
  expect(await find(4)).toHaveLength(1)
  expect(await find(null)).toHaveLength(1)
  await log.truncate(topics[0]!, 0, 4n)
  await expect(find(2)).rejects.toThrow('nothing is left')
})

test('a log without the scenario’s topics says so', async () => {
  const range = { log: createMemoryLog(), name: 'the log', fromMs: null, toMs: null }
  await expect(findStretches(range, topology)).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
})
