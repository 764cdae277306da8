import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attackSpans, driftMarks } from '../../scenarios/fraud/generator/drift.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import {
  ATTACKS,
  DAY_MS,
  type GeneratedPayment,
  type GeneratorOptions,
} from '../../scenarios/fraud/generator/generated-payment.ts'

const start = Date.UTC(2026, 0, 5)
const base: GeneratorOptions = { seed: 7, payments: 30_000, days: 40, start, world: 'drift' }

function share(items: readonly GeneratedPayment[], of: (item: GeneratedPayment) => boolean): number {
  return items.filter(of).length / items.length
}

describe('generated payments', () => {
  const drift = [...generatePayments(base)]
  const stationary = [...generatePayments({ ...base, world: 'stationary' })]

  test('the same seed gives the same bytes, fixed here so that a change of the world is seen', () => {
    const digest = createHash('sha256')
    for (const item of generatePayments({ ...base, payments: 3_000 })) digest.update(JSON.stringify(item))
    expect(digest.digest('hex')).toBe('e29c6a74a36c12730d128b25fa80520bb08bc67f84f08e4655062adc6339e5ec')
  })

  test('another seed gives another stream', () => {
    const [first] = generatePayments({ ...base, payments: 500 })
    const [other] = generatePayments({ ...base, payments: 500, seed: 8 })
    expect(first).not.toEqual(other)
  })

  test('every stream is in event-time order, inside its days, with unique ids and sound fields', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (seed, payments, days, drifting) => {
          let before = start
          const ids = new Set<string>()
          const world = drifting ? 'drift' : 'stationary'
          for (const { payment, fraud, attack } of generatePayments({ seed, payments, days, start, world })) {
            expect(payment.eventTime).toBeGreaterThanOrEqual(before)
            expect(payment.eventTime).toBeLessThan(start + days * DAY_MS)
            before = payment.eventTime
            expect(ids.has(payment.paymentId)).toBe(false)
            ids.add(payment.paymentId)
            expect(payment.amount).toBeGreaterThan(0)
            expect(Number.isInteger(Math.round(payment.amount * 1e6) / 1e4)).toBe(true)
            expect(Math.abs(payment.latitude!)).toBeLessThanOrEqual(90)
            expect(fraud).toBe(attack !== null)
            if (payment.channel === 'app' || payment.channel === 'ecommerce') expect(payment.deviceId).not.toBeNull()
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test.each([
    ['drift', drift],
    ['stationary', stationary],
  ] as const)('%s: the asked number of payments and frauds', (_, items) => {
    expect(items.length / base.payments).toBeGreaterThan(0.94)
    expect(items.length / base.payments).toBeLessThan(1.06)
    const frauds = share(items, (item) => item.fraud)
    expect(frauds).toBeGreaterThan(0.01)
    expect(frauds).toBeLessThan(0.016)
  })

  test('in the drift world attacks happen in their spans only', () => {
    const spans = attackSpans(base)
    const slackMs = 4 * DAY_MS // an episode that began in the span may end after it
    for (const { payment, attack } of drift) {
      if (attack === null) continue
      const inside = spans.some(
        (span) =>
          span.attack === attack &&
          payment.eventTime >= span.fromMs - DAY_MS &&
          payment.eventTime < span.untilMs + slackMs,
      )
      expect(inside, `${attack} on ${new Date(payment.eventTime).toISOString()}`).toBe(true)
    }
    expect(new Set(spans.map((span) => span.attack))).toEqual(new Set(ATTACKS))
    expect(driftMarks(base).length).toBeGreaterThan(0)
  })

  test('in the stationary world every attack type is as frequent in the first half as in the second', () => {
    const middle = start + (base.days / 2) * DAY_MS
    for (const attack of ATTACKS) {
      const first = stationary.filter((item) => item.attack === attack && item.payment.eventTime < middle).length
      const second = stationary.filter((item) => item.attack === attack && item.payment.eventTime >= middle).length
      // Standard deviations of the difference; episodes make the counts vary more than single payments would.
      expect(Math.abs(first - second) / Math.sqrt(first + second)).toBeLessThan(6)
      expect(first).toBeGreaterThan(5)
    }
    expect(driftMarks({ ...base, world: 'stationary' })).toEqual([])
  })

  test('honest customers decline, travel, change devices and share them: no single sign tells fraud', () => {
    const honest = drift.filter((item) => !item.fraud)
    const declines = share(honest, (item) => item.payment.declined)
    expect(declines).toBeGreaterThan(0.01)
    expect(declines).toBeLessThan(0.06)
    const owners = new Map<string, Set<string>>()
    const countries = new Map<string, Set<string>>()
    for (const { payment } of honest) {
      if (payment.deviceId !== null) at(owners, payment.deviceId).add(payment.customerId)
      at(countries, payment.customerId).add(payment.country!)
    }
    expect([...owners.values()].filter((customers) => customers.size > 1).length).toBeGreaterThan(20)
    expect([...countries.values()].filter((visited) => visited.size > 1).length).toBeGreaterThan(20)
  })

  test('wrong options are refused', () => {
    expect(() => generatePayments({ ...base, days: 0 }).next()).toThrow(RangeError)
    expect(() => generatePayments({ ...base, payments: 1.5 }).next()).toThrow(RangeError)
    expect(() => generatePayments({ ...base, start: start + 1 }).next()).toThrow(RangeError)
  })
})

function at(map: Map<string, Set<string>>, key: string): Set<string> {
  let set = map.get(key)
  if (set === undefined) {
    set = new Set()
    map.set(key, set)
  }
  return set
}
