import { expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { runLive } from '../../streams/run-live.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 1)

it('keeps partitions of a backlog together in event time, however many records each of them has', async () => {
  const topology = fraud.topology(3)
  const [payments] = topology.sources
  const log = createMemoryLog()
  await log.ensureTopics(topology.topics)
  const stream = [...generatePayments({ payments: 2_400, days: 24, start: START_MS, seed: 5, world: 'drift' })]
  // Twenty of 24 payments in the first partition, three in the second, one in the third.
  const partition = (i: number): number => (i % 24 < 20 ? 0 : i % 24 < 23 ? 1 : 2)
  await log.append(
    [0, 1, 2].map((number) => ({
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
  let widestMs = 0
  await runLive({
    topology,
    log,
    store: createMemoryStateStore(),
    signal: AbortSignal.abort(),
    clock: () => START_MS + 30 * DAY_MS,
    batchRecords: 50,
    drainMs: DAY_MS,
    onPass({ tasks }) {
      const reached = tasks.map(({ sourceProgress }) => sourceProgress.watermarkMs).filter(Number.isFinite)
      if (reached.length === 3) widestMs = Math.max(widestMs, Math.max(...reached) - Math.min(...reached))
    },
  })
  const { end } = await log.bounds(fraud.scores.topic.name, 0)
  expect(end).toBeGreaterThan(0n)
  // A batch of the first partition spans about 14 hours; unaligned, the third ends 20 days before it.
  expect(widestMs).toBeLessThan(2 * DAY_MS)
})
