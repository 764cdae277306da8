import { setTimeout as sleep } from 'node:timers/promises'
import type { NewRecord } from '../../streams/event-log/event-log.ts'
import { partitionOf } from '../../streams/partition.ts'
import type { FraudStage } from './fraud-stage.ts'
import { appendDue } from './sender.ts'

const BATCH = 1_000
const PACE_MS = 10
/** So far may the producer be ahead of the scores: longer backlogs measure only the log. */
const MOST_AHEAD = 20_000

export interface EvenPayments {
  readonly first: number
  readonly count: number
  readonly customers: number
  readonly perSecond?: number
}

/**
 * Appends `count` payments, evenly over `customers` (and a tenth as many terminals): so many per second, or as fast as scores
 * come. `first`: the number of the first, for ids. `seen()`: how many scores have come of all that was ever sent.
 */
export async function appendEvenly(
  { topology, sender }: Pick<FraudStage, 'topology' | 'sender'>,
  { first, count, customers, perSecond }: EvenPayments,
  seen: () => number,
): Promise<void> {
  const source = topology.sources[0]!
  const startMs = performance.now()
  const due = (): number =>
    perSecond === undefined ? first + count : first + ((performance.now() - startMs) * perSecond) / 1_000
  for (let i = first; i < first + count; ) {
    while (i - seen() > MOST_AHEAD) await sleep(PACE_MS)
    while (due() < i + 1) await sleep(PACE_MS)
    const boxes = Array.from({ length: topology.partitions }, (): NewRecord[] => [])
    const nowMs = Date.now()
    for (const until = Math.floor(Math.min(first + count, i + BATCH, due())); i < until; i++) {
      const customerId = `c${i % customers}`
      const payment = {
        paymentId: `p${i}`,
        eventTime: nowMs,
        customerId,
        terminalId: `t${Math.floor((i % customers) / 10)}`,
        deviceId: null,
        amount: 1 + (i % 500),
        country: null,
        latitude: null,
        longitude: null,
        ip: null,
        merchantCategory: null,
        channel: null,
        currency: 'EUR',
        declined: false,
      }
      const value = source.codec.encode(payment)
      boxes[partitionOf(customerId, topology.partitions)]!.push({
        key: Buffer.from(customerId),
        value,
        timestampMs: nowMs,
      })
    }
    const appends = boxes.flatMap((records, partition) =>
      records.length === 0 ? [] : [{ topic: source.topic, partition, records }],
    )
    await appendDue(sender, { appends, payments: [] })
  }
}
