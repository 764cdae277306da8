import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import { DAY_MS, type GeneratorOptions } from '../../scenarios/fraud/generator/generated-payment.ts'
import { labelFor, labelsFor, withLabels } from '../../scenarios/fraud/generator/labels.ts'

const options: GeneratorOptions = {
  seed: 3,
  payments: 2_000,
  days: 10,
  start: Date.UTC(2026, 0, 5),
  world: 'stationary',
}
const items = [...generatePayments(options)]

describe('labels', () => {
  test('a fixed delay: every payment gets its label exactly then', () => {
    const labels = [...labelsFor(items, { delay: DAY_MS, seed: 1, coverage: 'all' })]
    expect(labels.map((label) => label.paymentId)).toEqual(items.map((item) => item.payment.paymentId))
    labels.forEach((label, index) => {
      expect(label.eventTime).toBe(items[index]!.payment.eventTime + DAY_MS)
      expect(label.fraud).toBe(items[index]!.fraud)
    })
  })

  test('frauds only: negatives stay silent', () => {
    const labels = [...labelsFor(items, { delay: 0, seed: 1, coverage: 'frauds only' })]
    expect(labels.length).toBe(items.filter((item) => item.fraud).length)
    expect(labels.every((label) => label.fraud)).toBe(true)
  })

  test('by source: chargebacks come later than customers, customers later than analysts, on average', () => {
    const waits = { analyst: [0], customer: [0], chargeback: [0] }
    for (const item of items) {
      const label = labelFor(
        { ...item, fraud: true, attack: 'stolen-card' },
        { delay: 'by source', seed: 9, coverage: 'all' },
      )
      waits[label!.source].push(label!.eventTime - item.payment.eventTime)
    }
    const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length
    expect(mean(waits.customer)).toBeGreaterThan(2 * mean(waits.analyst))
    expect(mean(waits.chargeback)).toBeGreaterThan(2 * mean(waits.customer))
  })

  test('payments and labels come merged in event-time order, a label never before its payment', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom<number | 'by source'>(0, 900_000, DAY_MS, 'by source'),
        (seed, delay) => {
          let before = Number.NEGATIVE_INFINITY
          const seen = new Set<string>()
          let labels = 0
          for (const item of withLabels(items, { delay, seed, coverage: 'all' })) {
            const timeMs = item.kind === 'payment' ? item.generated.payment.eventTime : item.label.eventTime
            expect(timeMs).toBeGreaterThanOrEqual(before)
            before = timeMs
            if (item.kind === 'payment') seen.add(item.generated.payment.paymentId)
            else {
              labels++
              expect(seen.has(item.label.paymentId)).toBe(true)
            }
          }
          expect(labels).toBe(items.length)
        },
      ),
      { numRuns: 12 },
    )
  })
})
