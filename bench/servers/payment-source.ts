import { createRandom } from '../../processors/random.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import type { GeneratedPayment } from '../../scenarios/fraud/generator/generated-payment.ts'
import { labelFor } from '../../scenarios/fraud/generator/labels.ts'
import type { Label } from '../../schemas/generated/fraud/label.ts'
import type { Appends, NewRecord } from '../../streams/event-log/event-log.ts'
import { partitionOf } from '../../streams/partition.ts'
import type { Source, Topology } from '../../streams/topology.ts'

export interface PaymentSourceOptions {
  readonly perSecond: number
  readonly seed: number
  /** Size of the world: so many payments in 100 days; customers pay about 96 times in them. */
  readonly payments: number
  /** Processing time from a payment to its label. */
  readonly labelDelayMs: number
  /** Of the legitimate payments so many, 0 to 1, get a label; of the frauds all. */
  readonly labelled: number
}

export interface Due {
  readonly appends: readonly Appends[]
  /** Payments in it: id, and when it fell due, ms since 1970; also its event time. */
  readonly payments: readonly { readonly id: string; readonly dueMs: number }[]
}

const DAYS = 100
const START_MS = 1_767_225_600_000
const MOST_AT_ONCE = 2_000

/** Generated payments that fall due at an even rate, whether or not anybody keeps up (open loop), and their labels. */
export class PaymentSource {
  readonly #topology: Topology
  readonly #options: PaymentSourceOptions
  readonly #stream: Iterator<{ readonly generated: GeneratedPayment; readonly round: number }>
  readonly #random
  readonly #startMs: number
  #waiting: { readonly label: Label; readonly dueMs: number }[] = []
  drawn = 0
  labels = 0

  constructor(topology: Topology, options: PaymentSourceOptions, startMs: number) {
    this.#topology = topology
    this.#options = options
    this.#stream = endless(options)
    this.#random = createRandom(options.seed, 77)
    this.#startMs = startMs
  }

  /** What is due at `nowMs` and was not taken yet, at most 2,000 payments, and no more than `most`. */
  take(nowMs: number, most = MOST_AT_ONCE): Due {
    const { perSecond, seed, labelDelayMs, labelled } = this.#options
    const [payments, labels] = this.#topology.sources as readonly [Source, Source]
    const boxes = new Map<string, { topic: string; partition: number; records: NewRecord[] }>()
    const add = (topic: string, key: string, value: Uint8Array): void => {
      const partition = partitionOf(key, this.#topology.partitions)
      const name = `${topic}/${partition}`
      let box = boxes.get(name)
      if (box === undefined) {
        box = { topic, partition, records: [] }
        boxes.set(name, box)
      }
      box.records.push({ key: Buffer.from(key), value, timestampMs: nowMs })
    }
    const due = Math.floor(((nowMs - this.#startMs) * perSecond) / 1_000)
    const until = Math.min(due, this.drawn + Math.min(most, MOST_AT_ONCE))
    const taken: { id: string; dueMs: number }[] = []
    for (; this.drawn < until; this.drawn++) {
      const { generated, round } = this.#stream.next().value!
      const dueMs = Math.floor(this.#startMs + (this.drawn * 1_000) / perSecond)
      const id = `${round}-${generated.payment.paymentId}`
      const payment = { ...generated.payment, paymentId: id, eventTime: dueMs }
      add(payments.topic, payment.customerId, payments.codec.encode(payment))
      taken.push({ id, dueMs })
      if (!generated.fraud && !this.#random.chance(labelled)) continue
      const label = labelFor(generated, { delay: labelDelayMs, seed, coverage: 'all' })!
      this.#waiting.push({
        label: { ...label, paymentId: id, eventTime: dueMs + labelDelayMs },
        dueMs: dueMs + labelDelayMs,
      })
    }
    let known = 0
    for (; known < this.#waiting.length && this.#waiting[known]!.dueMs <= nowMs; known++) {
      const { label } = this.#waiting[known]!
      add(labels.topic, label.paymentId, labels.codec.encode(label))
    }
    this.#waiting = this.#waiting.slice(known)
    this.labels += known
    return { appends: [...boxes.values()], payments: taken }
  }
}

/** Round after round of the same world with other seeds. */
function* endless({
  seed,
  payments,
}: PaymentSourceOptions): Generator<{ generated: GeneratedPayment; round: number }, never> {
  for (let round = 0; ; round++) {
    const options = { seed: seed + round, payments, days: DAYS, start: START_MS, world: 'stationary' } as const
    for (const generated of generatePayments(options)) yield { generated, round }
  }
}
