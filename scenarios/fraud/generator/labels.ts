import { portableLn } from '../../../processors/portable-math.ts'
import { hash32 } from '../../../processors/random.ts'
import type { Label, LabelSource } from '../../../schemas/generated/fraud/label.ts'
import { DAY_MS, type GeneratedPayment, HOUR_MS, MINUTE_MS } from './generated-payment.ts'

export interface LabelOptions {
  /**
   * Event time from a payment to its label. A number: the same for all (ms). `by source`: analysts answer within
   * hours, customers complain after days, chargebacks come after weeks, each drawn per payment from `seed`.
   */
  readonly delay: number | 'by source'
  /** Seed of the sources and delays; a label depends on it and on the payment alone, never on the other labels. */
  readonly seed: number
  /**
   * `all`: every payment gets a label. `frauds only`: as in most firms, nobody reports what was in order, and
   * negatives are concluded when the horizon has passed.
   */
  readonly coverage: 'all' | 'frauds only'
}

/** Mean and least delay by source, ms. */
const DELAYS: Readonly<Record<LabelSource, { least: number; mean: number }>> = {
  analyst: { least: 10 * MINUTE_MS, mean: 5 * HOUR_MS },
  customer: { least: 2 * HOUR_MS, mean: 3 * DAY_MS },
  chargeback: { least: 3 * DAY_MS, mean: 14 * DAY_MS },
}
const STREAM_SOURCE = 11
const STREAM_DELAY = 12

/** The label of one payment; `eventTime` is when it becomes known. null: no label comes. */
export function labelFor({ payment, fraud }: GeneratedPayment, options: LabelOptions): Label | null {
  if (!fraud && options.coverage === 'frauds only') return null
  const number = sequenceOf(payment.paymentId)
  const source = sourceFor(fraud, hash32(options.seed, STREAM_SOURCE, number) / 2 ** 32)
  const delayMs =
    options.delay === 'by source'
      ? drawDelay(source, hash32(options.seed, STREAM_DELAY, number))
      : Math.round(options.delay)
  return { paymentId: payment.paymentId, eventTime: payment.eventTime + delayMs, fraud, source }
}

export type PaymentOrLabel =
  | { readonly kind: 'payment'; readonly generated: GeneratedPayment }
  | { readonly kind: 'label'; readonly label: Label }

/**
 * Payments and their labels as one stream in event-time order; at equal times labels come first. After the last
 * payment the labels still outstanding follow. Memory: the labels under way.
 *
 * @param payments in event-time order
 */
export function* withLabels(
  payments: Iterable<GeneratedPayment>,
  options: LabelOptions,
): Generator<PaymentOrLabel, void> {
  const underWay = createLabelQueue()
  for (const generated of payments) {
    for (let label = underWay.takeUntil(generated.payment.eventTime); label !== null; ) {
      yield { kind: 'label', label }
      label = underWay.takeUntil(generated.payment.eventTime)
    }
    yield { kind: 'payment', generated }
    const label = labelFor(generated, options)
    if (label !== null) underWay.add(label)
  }
  for (let label = underWay.takeUntil(Infinity); label !== null; label = underWay.takeUntil(Infinity)) {
    yield { kind: 'label', label }
  }
}

/** The labels alone, in the order in which they become known. */
export function* labelsFor(payments: Iterable<GeneratedPayment>, options: LabelOptions): Generator<Label, void> {
  for (const item of withLabels(payments, options)) if (item.kind === 'label') yield item.label
}

interface LabelQueue {
  add(label: Label): void
  /** The earliest label with eventTime ≤ timeMs; equal times in the order of arrival. */
  takeUntil(timeMs: number): Label | null
}

/** A binary heap by event time, then by order of adding. */
function createLabelQueue(): LabelQueue {
  const heap: { label: Label; order: number }[] = []
  let added = 0
  const before = (a: number, b: number): boolean => {
    const difference = heap[a]!.label.eventTime - heap[b]!.label.eventTime
    return difference < 0 || (difference === 0 && heap[a]!.order < heap[b]!.order)
  }
  const swap = (a: number, b: number): void => {
    const kept = heap[a]!
    heap[a] = heap[b]!
    heap[b] = kept
  }
  return {
    add(label) {
      heap.push({ label, order: added++ })
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (!before(at, parent)) break
        swap(at, parent)
        at = parent
      }
    },
    takeUntil(timeMs) {
      const first = heap[0]
      if (first === undefined || first.label.eventTime > timeMs) return null
      const last = heap.pop()!
      if (heap.length > 0) {
        heap[0] = last
        for (let at = 0; ; ) {
          let least = at
          for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heap.length; child++) {
            if (before(child, least)) least = child
          }
          if (least === at) break
          swap(at, least)
          at = least
        }
      }
      return first.label
    },
  }
}

function sequenceOf(paymentId: string): number {
  return Number.parseInt(paymentId.slice(2), 10)
}

function sourceFor(fraud: boolean, u: number): LabelSource {
  if (!fraud) return 'analyst'
  if (u < 0.35) return 'analyst'
  return u < 0.75 ? 'customer' : 'chargeback'
}

function drawDelay(source: LabelSource, hash: number): number {
  const { least, mean } = DELAYS[source]
  return least + Math.round(-(mean - least) * portableLn((hash + 0.5) / 2 ** 32))
}
