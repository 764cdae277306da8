import { type ExpectedPayment, expectPayments } from './expected-payments.ts'
import { type Payment, readLabel, readScore, type Score } from './fraud-events.ts'
import type { FeatureReader, LogReader, ReadRecord } from './log-reader.ts'
import { recomputeCustomer, sameFeature } from './recompute-customer.ts'

/** Names of topics of the fraud scenario. */
export const fraudTopics = {
  payments: 'rheo.fraud.payments.v1',
  labels: 'rheo.fraud.labels.v1',
  deadLetters: 'rheo.fraud.payments.v1.dlq',
  late: 'rheo.fraud.payments.v1.late',
  scores: 'rheo.fraud.scores.v1',
} as const

export interface Verdict {
  readonly payments: number
  readonly scores: number
  readonly duplicates: number
  readonly late: number
  readonly refused: number
  /** Payments without a score. */
  readonly lost: number
  /** Scores beyond the first of a payment. */
  readonly doubled: number
  /** Scores of payments that nobody sent, or that were refused, late or doubled. */
  readonly alien: number
  /** Scores that stand before one of the same customer, terminal and device that came earlier. */
  readonly outOfOrder: number
  readonly featuresCompared: number
  readonly featureDifferences: number
  /** Customers whose features in the state store were compared; 0 without a store. */
  readonly statesCompared: number
  readonly stateDifferences: number
  /** Dead letters that are missing, doubled or made up. */
  readonly deadLetterFaults: number
  /** What is wrong, the first of each kind, to read. */
  readonly examples: readonly string[]
}

const EXAMPLES = 5

/**
 * Holds what Rheo said against what it was sent, without a line of Rheo's code: each payment has one score, in order, with
 * the features that adding everything up again gives. Reads whole topics; cost and memory are those of the input.
 *
 * @param state null: the state store is not looked at.
 */
export async function verifyFraud(log: LogReader, state: FeatureReader | null): Promise<Verdict> {
  const input = await log.read(fraudTopics.payments)
  const expected = expectPayments(input, await log.read(fraudTopics.deadLetters), await log.read(fraudTopics.late))
  const scoreRecords = await log.read(fraudTopics.scores)
  const found = new Findings()
  for (const text of expected.wrong) found.add('deadLetterFaults', text)

  const scores = new Map<string, { readonly record: ReadRecord; readonly score: Score; readonly place: number }>()
  scoreRecords.forEach((record, place) => {
    const score = readScore(record)
    const name = nameOf(score)
    if (scores.has(name)) found.add('doubled', `payment ${score.paymentId} has another score at ${at(record)}`)
    else scores.set(name, { record, score, place })
  })

  const histories = new Map<string, Payment[]>()
  const places = new Map<string, { readonly place: number; readonly paymentId: string }>()
  let featuresCompared = 0
  for (const { payment, partition, offset } of expected.scored) {
    const history = entry(histories, payment.customerId)
    const scored = scores.get(nameOf(payment))
    scores.delete(nameOf(payment))
    if (scored === undefined) found.add('lost', `payment ${payment.paymentId} at ${partition}/${offset} has no score`)
    else {
      for (const [name, value] of recomputeCustomer(history, payment.eventTime)) {
        featuresCompared++
        const served = scored.score.features[name]
        if (sameFeature(served, value)) continue
        found.add('featureDifferences', `${name} of payment ${payment.paymentId} was ${served}, is ${value}`)
      }
      // Payments of one customer, terminal and device pass the same tasks, and nothing on the way may overtake.
      const way = JSON.stringify([payment.customerId, payment.terminalId, payment.deviceId, scored.record.partition])
      const last = places.get(way)
      if (last !== undefined && last.place > scored.place)
        found.add('outOfOrder', `the score of ${payment.paymentId} stands before that of ${last.paymentId}`)
      else places.set(way, { place: scored.place, paymentId: payment.paymentId })
    }
    history.push(payment)
  }
  for (const { record, score } of scores.values())
    found.add('alien', `the score at ${at(record)} is of payment ${score.paymentId}, which should have none`)

  const statesCompared =
    state === null
      ? 0
      : await compareStates(state, histories, expected.scored, await log.read(fraudTopics.labels), found)
  return {
    payments: input.length,
    scores: scoreRecords.length,
    duplicates: expected.duplicates,
    late: expected.late,
    refused: expected.refused,
    ...found.counts,
    featuresCompared,
    statesCompared,
    examples: found.examples,
  }
}

/** Whether nothing at all is wrong. */
export function isClean(verdict: Verdict): boolean {
  const { lost, doubled, alien, outOfOrder, featureDifferences, stateDifferences, deadLetterFaults } = verdict
  return lost + doubled + alien + outOfOrder + featureDifferences + stateDifferences + deadLetterFaults === 0
}

/**
 * A customer's features in the store are those that a payment at the time `asOfMs`, which stands beside them, would find:
 * the time of its newest payment, or of a label of one that became known later.
 */
async function compareStates(
  state: FeatureReader,
  histories: ReadonlyMap<string, readonly Payment[]>,
  scored: readonly ExpectedPayment[],
  labels: readonly ReadRecord[],
  found: Findings,
): Promise<number> {
  const customers = new Map(scored.map(({ payment }) => [payment.paymentId, payment.customerId]))
  const labelTimes = new Map<string, Set<number>>()
  for (const label of labels.map(readLabel)) {
    const customerId = label === null ? undefined : customers.get(label.paymentId)
    if (customerId === undefined) continue
    const times = labelTimes.get(customerId) ?? new Set()
    labelTimes.set(customerId, times.add(label!.eventTime))
  }
  const partitions = new Map(scored.map(({ payment, partition }) => [payment.customerId, partition]))
  const newestMs = scored.reduce((latest, { payment }) => Math.max(latest, payment.eventTime), 0)
  let compared = 0
  for (const [customerId, history] of histories) {
    const lastMs = history.reduce((latest, { eventTime }) => Math.max(latest, eventTime), 0)
    // What was silent for so long may have expired.
    if (newestMs - lastMs > 29 * 86_400_000) continue
    compared++
    const shown = await state.features('customerId', partitions.get(customerId)!, customerId)
    if (shown === null) {
      found.add('stateDifferences', `the store knows nothing of customer ${customerId}`)
      continue
    }
    const asOfMs = shown.get('asOfMs') ?? Number.NaN
    if (asOfMs !== lastMs && !(asOfMs > lastMs && labelTimes.get(customerId)?.has(asOfMs))) {
      found.add(
        'stateDifferences',
        `customer ${customerId} is stored as of ${asOfMs}, its last payment is of ${lastMs}`,
      )
      continue
    }
    for (const [name, value] of recomputeCustomer(history, asOfMs)) {
      const served = shown.get(name) ?? Number.NaN
      if (sameFeature(served, value)) continue
      found.add('stateDifferences', `${name} of customer ${customerId} is stored as ${served}, is ${value}`)
    }
  }
  return compared
}

class Findings {
  readonly counts = {
    lost: 0,
    doubled: 0,
    alien: 0,
    outOfOrder: 0,
    featureDifferences: 0,
    stateDifferences: 0,
    deadLetterFaults: 0,
  }
  readonly examples: string[] = []

  add(kind: keyof Findings['counts'], text: string): void {
    if (this.counts[kind]++ < EXAMPLES) this.examples.push(text)
  }
}

function nameOf({ paymentId, eventTime }: Pick<Payment, 'paymentId' | 'eventTime'>): string {
  return JSON.stringify([paymentId, eventTime])
}

function at({ partition, offset }: ReadRecord): string {
  return `${partition}/${offset}`
}

function entry<V>(entries: Map<string, V[]>, key: string): V[] {
  let list = entries.get(key)
  if (list === undefined) {
    list = []
    entries.set(key, list)
  }
  return list
}
