import type { Label } from '../../../schemas/generated/fraud/label.ts'
import type { EventLog, NewRecord, Transaction } from '../../../streams/event-log/event-log.ts'
import { partitionOf } from '../../../streams/partition.ts'
import type { Source, Topology } from '../../../streams/topology.ts'
import { generatePayments } from './generate-payments.ts'
import type { GeneratedPayment, GeneratorOptions } from './generated-payment.ts'
import { labelFor } from './labels.ts'

export interface LivePaymentsOptions {
  readonly perSecond: number
  /** Processing time from a payment to its label. */
  readonly labelDelayMs: number
  readonly seed: number
  readonly world: GeneratorOptions['world']
  /** Processing time, milliseconds since 1970. */
  readonly clock: () => number
}

/** What `feed` appended, for those who measure how long a score takes. */
export interface FedPayment {
  readonly paymentId: string
  /** When it was due by the rate, milliseconds since 1970; also its event time. */
  readonly dueMs: number
}

export interface LivePayments {
  /** Appends the payments and labels that are due; after a long pause at most MOST_AT_ONCE. */
  feed(): Promise<readonly FedPayment[]>
}

/** One round of the stream: the world of the demo, a season of 120 days played at the given rate. */
export const ROUND = { payments: 105_000, days: 120, start: 1_767_225_600_000 } as const
const MOST_AT_ONCE = 5_000
/** Positions count rounds and the payments inside them. */
const ROUND_BITS = 32n
const PAYMENTS_READ = 0
const LABELS_READ = 1

interface Drawn {
  readonly generated: GeneratedPayment
  readonly round: number
  readonly index: number
}

interface WaitingLabel {
  readonly label: Label
  readonly dueMs: number
  readonly next: bigint
}

/**
 * The generated stream as a producer that works now: payments at an even rate with the present as event time, each
 * label `labelDelayMs` later. How far it has come is committed with what it appended, so a producer started again goes
 * on where the last one stopped, labels under way included, and no id comes twice.
 */
export async function startLivePayments(
  log: EventLog,
  topology: Topology,
  options: LivePaymentsOptions,
): Promise<LivePayments> {
  const { perSecond, labelDelayMs, seed, world, clock } = options
  const [payments, labels] = topology.sources as readonly [Source, Source]
  const topic = `rheo.${topology.scenario}.generator-${world}-${seed}.v1`
  await log.ensureTopics([{ name: topic, partitions: 2, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 }])
  const writer = await log.acquire('rheo-generator', topic)
  const paymentsRead = (await writer.committed(topic, PAYMENTS_READ)) ?? 0n
  const labelsRead = (await writer.committed(topic, LABELS_READ)) ?? 0n

  const stream = drawnFrom(labelsRead, seed, world)
  const idOf = ({ generated, round }: Drawn): string => `${world}-${seed}-${round}-${generated.payment.paymentId}`
  const labelOf = (drawn: Drawn, eventTime: number): Label => ({
    ...labelFor(drawn.generated, { delay: labelDelayMs, seed, coverage: 'all' })!,
    paymentId: idOf(drawn),
    eventTime,
  })

  let waiting: WaitingLabel[] = []
  const startMs = clock()
  const remember = (drawn: Drawn, dueMs: number): void => {
    waiting.push({ label: labelOf(drawn, dueMs), dueMs, next: positionOf(drawn) + 1n })
  }
  let upcoming = stream.next().value as Drawn
  while (positionOf(upcoming) < paymentsRead) {
    remember(upcoming, startMs)
    upcoming = stream.next().value as Drawn
  }

  let fed = 0
  /** Moves with every pause that is longer than what may be caught up. */
  let originMs = startMs
  /** What a failed commit left: it goes first at the next call. */
  let unsent: Batch | null = null

  const draw = (nowMs: number): Batch => {
    const dueUntil = Math.floor(((nowMs - originMs) * perSecond) / 1_000)
    const until = Math.min(dueUntil, fed + MOST_AT_ONCE)
    const boxes = createBoxes(topology.partitions)
    const appended: FedPayment[] = []
    while (fed < until) {
      const dueMs = Math.floor(originMs + (fed * 1_000) / perSecond)
      const paymentId = idOf(upcoming)
      const payment = { ...upcoming.generated.payment, paymentId, eventTime: dueMs }
      boxes.add(payments.topic, payment.customerId, payments.codec.encode(payment), nowMs)
      appended.push({ paymentId, dueMs })
      remember(upcoming, dueMs + labelDelayMs)
      upcoming = stream.next().value as Drawn
      fed++
    }
    if (dueUntil > until) {
      originMs = nowMs
      fed = 0
    }
    const positions = [{ topic, partition: PAYMENTS_READ, next: positionOf(upcoming) }]
    let known = 0
    for (; known < waiting.length && waiting[known]!.dueMs <= nowMs && known < MOST_AT_ONCE; known++) {
      const { label, next } = waiting[known]!
      boxes.add(labels.topic, label.paymentId, labels.codec.encode(label), nowMs)
      positions[1] = { topic, partition: LABELS_READ, next }
    }
    if (known > 0) waiting = waiting.slice(known)
    return { appended, transaction: { appends: boxes.appends(), positions } }
  }

  return {
    async feed() {
      unsent ??= draw(clock())
      const { appended, transaction } = unsent
      if (transaction.appends.length > 0) await writer.commit(transaction)
      unsent = null
      return appended
    },
  }
}

interface Batch {
  readonly appended: readonly FedPayment[]
  readonly transaction: Transaction
}

function positionOf({ round, index }: Drawn): bigint {
  return (BigInt(round) << ROUND_BITS) + BigInt(index)
}

/** The stream from a position on, round after round, each with a seed of its own; without end. */
function* drawnFrom(position: bigint, seed: number, world: GeneratorOptions['world']): Generator<Drawn> {
  let skip = Number(position & ((1n << ROUND_BITS) - 1n))
  for (let round = Number(position >> ROUND_BITS); ; round++) {
    let index = 0
    for (const generated of generatePayments({ ...ROUND, seed: seed + round, world })) {
      if (index >= skip) yield { generated, round, index }
      index++
    }
    skip = 0
  }
}

interface Boxes {
  add(topic: string, key: string, value: Uint8Array, timestampMs: number): void
  appends(): { topic: string; partition: number; records: NewRecord[] }[]
}

function createBoxes(partitions: number): Boxes {
  const boxes = new Map<string, { topic: string; partition: number; records: NewRecord[] }>()
  return {
    add(topic, key, value, timestampMs) {
      const partition = partitionOf(key, partitions)
      const name = `${topic}/${partition}`
      let box = boxes.get(name)
      if (box === undefined) {
        box = { topic, partition, records: [] }
        boxes.set(name, box)
      }
      box.records.push({ key: Buffer.from(key), value, timestampMs })
    },
    appends: () => [...boxes.values()],
  }
}
