import { describe, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { eventOf } from '../../streams/event-value.ts'
import { partitionOf } from '../../streams/partition.ts'
import { replay } from '../../streams/replay.ts'
import { runLive } from '../../streams/run-live.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 1)
const PARTITIONS = 3
const topology = fraud.topology(PARTITIONS)
const [payments] = topology.sources
const stream = [...generatePayments({ payments: 2_400, days: 24, start: START_MS, seed: 5, world: 'drift' })]

type Live = Pick<Parameters<typeof runLive>[0], 'commitPer' | 'onPass'>

/** The whole stream lies in the log when the run begins. */
async function workOff(partition: (i: number) => number, live: Live): Promise<EventLog> {
  const log = createMemoryLog()
  await log.ensureTopics(topology.topics)
  await log.append(
    Array.from({ length: PARTITIONS }, (_, number) => ({
      topic: payments!.topic,
      partition: number,
      records: stream
        .filter((_, i) => partition(i) === number)
        .map(({ payment }) => ({
          key: Buffer.from(payment.customerId),
          value: payments!.codec.encode(payment),
          timestampMs: payment.eventTime,
        })),
    })),
  )
  await runLive({
    topology,
    log,
    store: createMemoryStateStore(),
    signal: AbortSignal.abort(),
    clock: () => START_MS + 30 * DAY_MS,
    batchRecords: 50,
    drainMs: DAY_MS,
    ...live,
  })
  return log
}

async function terminalCounts(log: EventLog): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { records } = await log.fetch(fraud.scores.topic.name, partition, 0n, { maxRecords: 1e6, maxBytes: 1e9 })
    for (const { value } of records) {
      const score = eventOf(value, topology.outputs[0]!.codec) as Score
      counts.set(score.paymentId, score.features['terminalId.count.7d']!)
    }
  }
  return counts
}

describe('a backlog on several partitions', () => {
  it('is worked off together in event time, however many records each partition has', async () => {
    // Twenty of 24 payments in the first partition, three in the second, one in the third.
    const partition = (i: number): number => (i % 24 < 20 ? 0 : i % 24 < 23 ? 1 : 2)
    let widestMs = 0
    await workOff(partition, {
      onPass({ tasks }) {
        const reached = tasks.map(({ sourceProgress }) => sourceProgress.watermarkMs).filter(Number.isFinite)
        if (reached.length === PARTITIONS) widestMs = Math.max(widestMs, Math.max(...reached) - Math.min(...reached))
      },
    })
    // A batch of the first partition spans about 14 hours; unaligned, the third ends 20 days before it.
    expect(widestMs).toBeGreaterThan(0)
    expect(widestMs).toBeLessThan(2 * DAY_MS)
  })

  for (const commitPer of ['pass', 'round'] as const) {
    it(`gives terminals the features of a run that was never behind, with a commit per ${commitPer}`, async () => {
      const log = await workOff((i) => partitionOf(stream[i]!.payment.customerId, PARTITIONS), { commitPer })
      const always = createMemoryLog()
      await always.ensureTopics(topology.topics)
      await replay({
        topology,
        log: always,
        store: null,
        inputTopic: payments!.topic,
        sliceMs: 1_000,
        batchRecords: 50,
        *items() {
          yield stream.map(({ payment }) => ({
            atMs: payment.eventTime,
            topic: payments!.topic,
            key: payment.customerId,
            value: payments!.codec.encode(payment),
          }))
        },
        afterGroup: () => undefined,
      })
      const [counts, expected] = [await terminalCounts(log), await terminalCounts(always)]
      expect(counts.size).toBe(stream.length)
      const wrong = [...expected].filter(([id, count]) => counts.get(id) !== count)
      // Nobody has said that there is a backlog when the first batches come.
      expect(wrong.length / stream.length).toBeLessThan(0.03)
    })
  }
})
