/** What encoding and decoding one event costs: `node bench/codec.ts`. One core, after warm-up; best of five runs. */
import { paymentSchema } from '../schemas/generated/fraud/payment.ts'
import { scoreSchema } from '../schemas/generated/fraud/score.ts'
import { createEventCodec } from '../streams/codec/event-codec.ts'
import { NumberMap } from '../streams/codec/number-map.ts'
import { createLocalRegistry } from '../streams/codec/schema-registry.ts'
import { examplePayment, exampleScore } from '../test/codec/example-events.ts'

const registry = createLocalRegistry()
const payments = createEventCodec(paymentSchema, registry)
const scores = createEventCodec(scoreSchema, registry)
/** As the scoring stage makes them. */
const asMade = { ...exampleScore, features: numbersOf(exampleScore.features) }
const payment = payments.encode(examplePayment)
const score = scores.encode(exampleScore)

/** Every figure by name, in µs per call. */
export const figures: ReadonlyMap<string, number> = new Map([
  ['encode payment', measureUs(300_000, () => payments.encode(examplePayment).length)],
  ['decode payment', measureUs(300_000, () => Object.keys(payments.decode(payment)).length)],
  ['encode score, 60 features', measureUs(50_000, () => scores.encode(exampleScore).length)],
  ['encode score, its features as a map of numbers', measureUs(50_000, () => scores.encode(asMade).length)],
  ['decode score, 60 features', measureUs(50_000, () => Object.keys(scores.decode(score)).length)],
])

for (const [name, us] of figures) process.stdout.write(`${name}: ${us.toFixed(3)} µs\n`)

function numbersOf(record: Readonly<Record<string, number>>): typeof record {
  return new NumberMap(Object.keys(record), Object.values(record)) as unknown as typeof record
}

function measureUs(calls: number, call: () => number): number {
  let best = Number.POSITIVE_INFINITY
  let sum = 0
  for (let run = 0; run < 5; run++) {
    const startMs = performance.now()
    for (let i = 0; i < calls; i++) sum += call()
    best = Math.min(best, performance.now() - startMs)
  }
  if (sum === 0) throw new Error('nothing was measured')
  return (best * 1000) / calls
}
