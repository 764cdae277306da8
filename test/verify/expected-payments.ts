import { type Payment, readPayment } from './fraud-events.ts'
import type { ReadRecord } from './log-reader.ts'

const DUPLICATE_MS = 86_400_000
const MAX_FUTURE_MS = 3_600_000

/** A payment that must have a score: the first with its id. */
export interface ExpectedPayment {
  readonly payment: Payment
  readonly partition: number
  readonly offset: bigint
}

export interface Expected {
  /** In the order of their partitions, the payments that must be scored. */
  readonly scored: readonly ExpectedPayment[]
  readonly duplicates: number
  readonly late: number
  readonly refused: number
  readonly wrong: readonly string[]
}

/** What must have become of every record of the input, from the input and the side topics alone. */
export function expectPayments(
  input: readonly ReadRecord[],
  deadLetters: readonly ReadRecord[],
  lateRecords: readonly ReadRecord[],
): Expected {
  const wrong: string[] = []
  const refusals = new Map<string, number>()
  for (const { headers } of deadLetters) {
    const at = `${headers['rheo.dlq.partition']}/${headers['rheo.dlq.offset']}`
    refusals.set(at, (refusals.get(at) ?? 0) + 1)
  }
  const late = countBy(lateRecords.map(readPayment), idOf)
  const left = countBy(input.map(readPayment), idOf)
  const admitted = new Map<string, number[]>()
  const scored: ExpectedPayment[] = []
  let duplicates = 0
  for (const record of input) {
    const at = `${record.partition}/${record.offset}`
    const payment = readPayment(record)
    const times = refusals.get(at) ?? 0
    refusals.delete(at)
    const isFuture = payment !== null && payment.eventTime > record.timestampMs + MAX_FUTURE_MS
    if (times > 1) wrong.push(`record ${at} has ${times} dead letters`)
    if (times === 0 && (payment === null || isFuture)) wrong.push(`record ${at} should be a dead letter, and is none`)
    if (payment === null) continue
    const id = idOf(payment)!
    const laterToo = left.get(id)! - 1
    left.set(id, laterToo)
    if (times > 0) continue
    // The watermark never goes back, so of equal records those that came last are the late ones.
    if (laterToo < (late.get(id) ?? 0)) continue
    const name = JSON.stringify([payment.customerId, payment.paymentId])
    const known = admitted.get(name) ?? []
    if (known.some((eventTime) => Math.abs(eventTime - payment.eventTime) < DUPLICATE_MS)) {
      duplicates++
      continue
    }
    admitted.set(name, [...known, payment.eventTime])
    scored.push({ payment, partition: record.partition, offset: record.offset })
  }
  for (const at of refusals.keys()) wrong.push(`a dead letter names record ${at}, which does not exist`)
  return { scored, duplicates, late: lateRecords.length, refused: deadLetters.length, wrong }
}

function idOf(payment: Payment | null): string | null {
  return payment === null ? null : JSON.stringify([payment.customerId, payment.paymentId, payment.eventTime])
}

function countBy<T>(items: readonly T[], nameOf: (item: T) => string | null): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const name = nameOf(item)
    if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
