/**
 * Features alone: read and add over three entity keys, in event-time order, on one core.
 * `node bench/features.ts [events]` prints µs per event and ns per window feature.
 */
import { compileFeatures } from '../processors/features/compile.ts'
import { changed, count, distinct, mean, ratio, sinceLast, speed, sum } from '../processors/features/declare.ts'
import type { EntityState } from '../processors/features/entity-cells.ts'
import { createRandom } from '../processors/random.ts'

const EVENTS = Number(process.argv[2] ?? 1_000_000)
const WARM_UP = Math.min(100_000, EVENTS)
const SPAN_MS = 30 * 86_400_000
const START_MS = Date.UTC(2026, 0, 1)
const CUSTOMERS = 5_000
const TERMINALS = 10_000
const DEVICES = 8_000

const set = compileFeatures(
  [
    count().by('customerId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
    sum('amount').by('customerId').over('1 h', '24 h', '7 d', '30 d'),
    mean('amount').by('customerId').over('7 d', '30 d'),
    ratio('declined').by('customerId').over('1 h', '24 h'),
    distinct('deviceId').by('customerId').over('24 h', '7 d'),
    mean('amount').by('customerId').halfLife('7 d'),
    sinceLast().by('customerId'),
    changed('deviceId').by('customerId'),
    speed('latitude', 'longitude').by('customerId'),
    count().by('terminalId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
    sum('amount').by('terminalId').over('1 h', '24 h', '7 d'),
    ratio('fraud').of('label').by('terminalId').over('24 h', '7 d', '30 d'),
    count().by('deviceId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
    sum('amount').by('deviceId').over('24 h', '7 d'),
    distinct('customerId').by('deviceId').over('24 h', '7 d'),
  ],
  { mainKind: 'payment', requiredFields: { payment: ['amount', 'declined'], label: ['fraud'] } },
)

const random = createRandom(1, 0)
const payments = Array.from({ length: EVENTS }, (_, i) => ({
  eventTime: START_MS + Math.floor((i * SPAN_MS) / EVENTS),
  customerId: random.below(CUSTOMERS),
  terminalId: random.below(TERMINALS),
  device: random.below(10),
  deviceId: '',
  amount: random.below(10_000) / 100,
  declined: random.chance(0.03),
  latitude: 31 + random.float(),
  longitude: 121 + random.float(),
  fraud: random.chance(0.01),
}))
for (const payment of payments) {
  payment.deviceId = `device-${(payment.customerId * 7 + (payment.device === 0 ? random.below(10) : 0)) % DEVICES}`
}

const names = ['customerId', 'terminalId', 'deviceId'] as const
const states = set.entities.map(() => new Map<string | number, EntityState>())
const vector = new Float64Array(set.names.length)
let checksum = 0
let startedAt = process.hrtime.bigint()
payments.forEach((payment, i) => {
  if (i === WARM_UP) startedAt = process.hrtime.bigint()
  const tMs = payment.eventTime
  for (let e = 0; e < names.length; e++) {
    const plan = set.entities[e]!
    const key = payment[names[e]!]
    let state = states[e]!.get(key)
    if (state === undefined) {
      state = plan.create()
      states[e]!.set(key, state)
    }
    plan.read(state, payment, tMs, tMs, vector)
    plan.add(state, 'payment', payment, tMs, tMs)
    if (payment.fraud && e === 1) plan.add(state, 'label', payment, tMs, tMs)
  }
  checksum += vector[4]!
})
const measured = EVENTS - WARM_UP
if (measured > 0) {
  const usPerEvent = Number(process.hrtime.bigint() - startedAt) / 1_000 / measured
  const bytes = set.entities.map((plan, e) => {
    let total = 0
    for (const state of states[e]!.values()) total += plan.encode(state).length
    return `${plan.keyField} ${Math.round(total / states[e]!.size)}`
  })
  process.stdout.write(
    `${usPerEvent.toFixed(2)} µs per event, ${((usPerEvent * 1_000) / set.names.length).toFixed(0)} ns per feature ` +
      `(${set.names.length} features, ${measured} events, checksum ${checksum})\n` +
      `stored bytes per entity: ${bytes.join(', ')}; resident ${Math.round(process.memoryUsage().rss / 1e6)} MB\n`,
  )
}
