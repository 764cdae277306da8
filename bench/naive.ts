/**
 * Streaming features against a naive recomputation over a whole file: `node bench/naive.ts FILE MAP`.
 * Payments arrive shuffled by up to 50 min (the grace period is 1 h), 1 % of them twice. Counts must be equal, means and
 * sums within 1e-9 of each other. The recomputation keeps every event of an entity and adds it up again for every payment.
 */
import { readFileSync } from 'node:fs'
import { createAdmission } from '../processors/features/admission.ts'
import { compileFeatures } from '../processors/features/compile.ts'
import { count, mean, sum } from '../processors/features/declare.ts'
import { createRandom } from '../processors/random.ts'
import { type Payment, paymentSchema } from '../schemas/generated/fraud/payment.ts'
import { parseInputMap } from '../streams/input/input-map.ts'
import { defaultInputSettings, readInput } from '../streams/input/read-input.ts'

const [file, map] = process.argv.slice(2)
if (file === undefined || map === undefined) throw new Error('usage: node bench/naive.ts FILE MAP')

const HOUR_MS = 3_600_000
const MAX_DELAY_MS = 50 * 60_000
const WINDOWS = ['1 min', '1 h', '24 h', '7 d', '30 d'] as const
const KEYS = ['customerId', 'terminalId'] as const

const features = compileFeatures(
  KEYS.flatMap((key) => [
    count()
      .by(key)
      .over(...WINDOWS),
    sum('amount')
      .by(key)
      .over(...WINDOWS),
    mean('amount')
      .by(key)
      .over(...WINDOWS),
  ]),
  { mainKind: 'payment', graceMs: HOUR_MS, requiredFields: { payment: ['amount'] } },
)
const admission = createAdmission({ idWindowMs: 24 * HOUR_MS, graceMs: HOUR_MS })

const arrivals: { readonly atMs: number; readonly payment: Payment }[] = []
const random = createRandom(1, 0)
const settings = { ...defaultInputSettings, schemas: new Map([['payment', paymentSchema]]) }
for await (const items of readInput([{ file, map: parseInputMap(readFileSync(map, 'utf8'), map) }], settings)) {
  for (const item of items) {
    if (item.kind !== 'event') continue
    const payment = item.event as Payment
    const copies = random.float() < 0.01 ? 2 : 1
    for (let copy = 0; copy < copies; copy++)
      arrivals.push({ atMs: payment.eventTime + random.float() * MAX_DELAY_MS, payment })
  }
}
arrivals.sort((a, b) => a.atMs - b.atMs)

const seen = new Map<string, ReturnType<typeof admission.create>>()
const states = features.entities.map(() => new Map<string, ReturnType<(typeof features.entities)[number]['create']>>())
const histories = KEYS.map(() => new Map<string, { readonly times: number[]; readonly amounts: number[] }>())
const vector = new Float64Array(features.names.length)
let watermarkMs = Number.NEGATIVE_INFINITY
let [payments, duplicates, late, outOfOrder, compared, wrongCounts, worst] = [0, 0, 0, 0, 0, 0, 0]

for (const { payment } of arrivals) {
  const tMs = payment.eventTime
  if (tMs < watermarkMs) outOfOrder++
  watermarkMs = Math.max(watermarkMs, tMs)
  const verdict = admission.admit(
    entry(seen, payment.customerId, admission.create),
    payment.paymentId,
    tMs,
    watermarkMs,
  )
  if (verdict === 'duplicate') duplicates++
  if (verdict === 'late') late++
  if (verdict !== 'new') continue
  payments++
  features.entities.forEach((plan, k) => {
    const key = payment[KEYS[k]!]
    const state = entry(states[k]!, key, () => plan.create())
    plan.read(state, payment, tMs, watermarkMs, vector)
    plan.add(state, 'payment', payment, tMs, watermarkMs)
    const history = entry(histories[k]!, key, () => ({ times: [], amounts: [] }))
    compare(plan.windows, k, history, tMs)
    history.times.push(tMs)
    history.amounts.push(payment.amount)
  })
}

function compare(
  windows: readonly { readonly sizeMs: number; readonly hopMs: number }[],
  k: number,
  { times, amounts }: { readonly times: readonly number[]; readonly amounts: readonly number[] },
  tMs: number,
): void {
  windows.forEach(({ sizeMs, hopMs }, w) => {
    const edgeMs = Math.floor((tMs - sizeMs) / hopMs) * hopMs
    let [events, total] = [0, 0]
    for (let i = 0; i < times.length; i++) {
      if (times[i]! <= edgeMs || times[i]! > tMs) continue
      events++
      total += amounts[i]!
    }
    const at = k * 3 * WINDOWS.length + w
    compared += 3
    if (vector[at] !== events) wrongCounts++
    worst = Math.max(worst, error(vector[at + WINDOWS.length]!, total))
    if (events > 0) worst = Math.max(worst, error(vector[at + 2 * WINDOWS.length]!, total / events))
  })
}

function error(value: number, expected: number): number {
  return Math.abs(value - expected) / Math.max(1, Math.abs(expected))
}

function entry<V>(entries: Map<string, V>, key: string, make: () => V): V {
  let value = entries.get(key)
  if (value === undefined) {
    value = make()
    entries.set(key, value)
  }
  return value
}

console.log(`${payments} payments, ${outOfOrder} out of order, ${duplicates} duplicates, ${late} late`)
console.log(
  `${compared} values compared: ${wrongCounts} counts differ, largest relative difference of sums and means ${worst.toExponential(1)}`,
)
if (wrongCounts > 0 || worst > 1e-9) process.exitCode = 1
