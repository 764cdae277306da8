import type { Random } from '../../processors/random.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import type { Payment } from '../../schemas/generated/fraud/payment.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { isRejection } from '../../schemas/rejection.ts'
import { withChangelog } from '../../streams/changelog.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { eventOf } from '../../streams/event-value.ts'
import { partitionOf } from '../../streams/partition.ts'
import { spoiledStream } from '../streams/fraud-stream.ts'
import type { Scene, Sent } from './scene.ts'
import { recordsOf } from './twin.ts'

const SLICE_MS = 900_000
const DAY_MS = 86_400_000

/** The fraud scenario itself: generated payments and labels, among them doubled, late, future and broken ones. */
export function fraudScene(random: Random): Scene {
  const partitions = 1 + random.below(3)
  const topology = withChangelog(fraud.topology(partitions, SLICE_MS))
  const [payments] = topology.sources
  const { admissions } = spoiledStream(60 + random.below(100), 10, 1 + random.below(1_000))
  const sent = admissions.map(
    ({ atMs, topic, key, value }): Sent => ({
      topic,
      partition: partitionOf(key ?? '', partitions),
      record: { key: Buffer.from(key ?? ''), value, timestampMs: atMs },
    }),
  )
  const first = admissions.find(({ topic, value }) => topic === payments!.topic && value?.[0] === 0)!
  const pattern = payments!.codec.decode(first.value) as Payment
  const closing: Sent[] = []
  const timestampMs = admissions.at(-1)!.atMs + DAY_MS
  const open = new Set(Array.from({ length: partitions }, (_, partition) => partition))
  for (let i = 0; open.size > 0; i++) {
    const customerId = `last customer ${i}`
    const partition = partitionOf(customerId, partitions)
    if (!open.delete(partition)) continue
    const value = payments!.codec.encode({ ...pattern, paymentId: `last ${i}`, customerId, eventTime: timestampMs })
    closing.push({ topic: payments!.topic, partition, record: { key: Buffer.from(customerId), value, timestampMs } })
  }
  const batchRecords = [3, 20, 200][random.below(3)]!
  const cachedBytes = [1, 30_000, Number.POSITIVE_INFINITY][random.below(3)]!
  const ask = (log: EventLog): Promise<string[]> => account(log, partitions, [...sent, ...closing])
  return { topology, batchRecords, cachedBytes, sent, closing, account: ask }
}

/** Every payment that can be read has one score, or lies in a side topic. */
async function account(log: EventLog, partitions: number, sent: readonly Sent[]): Promise<string[]> {
  const topology = fraud.topology(partitions, SLICE_MS)
  const [payments] = topology.sources
  const idsOn = async (topic: string, idOf: (value: Uint8Array) => string | null): Promise<Map<string, number>> => {
    const ids = new Map<string, number>()
    for (let partition = 0; partition < partitions; partition++) {
      for (const { value } of await recordsOf(log, topic, partition)) {
        const id = idOf(value instanceof Uint8Array ? value : value!.bytes())
        if (id !== null) ids.set(id, (ids.get(id) ?? 0) + 1)
      }
    }
    return ids
  }
  const paymentId = (value: Uint8Array): string | null => {
    const payment = payments!.codec.decode(value)
    return isRejection(payment) ? null : (payment as Payment).paymentId
  }
  const codec = topology.outputs.find(({ topic }) => topic === fraud.scores.topic.name)!.codec
  const scored = await idsOn(
    fraud.scores.topic.name,
    (value) => eventOf<Score & object>(value, codec as never).paymentId,
  )
  const late = await idsOn(payments!.lateTopic, paymentId)
  const refused = await idsOn(payments!.dlqTopic, paymentId)
  const wrong: string[] = []
  for (const { topic, record } of sent) {
    if (topic !== payments!.topic) continue
    const id = paymentId(record.value as Uint8Array)
    if (id === null) continue
    const times = scored.get(id) ?? 0
    if (times > 1) wrong.push(`payment ${id} is doubled: ${times} scores`)
    if (times === 0 && !late.has(id) && !refused.has(id)) wrong.push(`payment ${id} is lost`)
  }
  return wrong
}
