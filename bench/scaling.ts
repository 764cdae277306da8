/**
 * One worker, then two: `node bench/scaling.ts [payments]` (default 100,000 for each), on Kafka and Redis that it starts
 * itself. Payments are there faster than they are scored; the second worker takes half of the tasks over while they come.
 * Prints one JSON document with payments a second, CPU time, and how many scores are missing or too many.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { appendEvenly } from './servers/even-payments.ts'
import { onFraudStage } from './servers/fraud-stage.ts'
import { ScoreWatch } from './servers/score-watch.ts'

const [payments = 100_000] = process.argv.slice(2).map(Number)
const CUSTOMERS = 10_000
const WARM_UP = Math.min(20_000, payments)

const figures = await onFraudStage(async (stage) => {
  const { topology, log, startWorker, cpuSeconds } = stage
  const stop = new AbortController()
  const times = new Map<string, number>()
  const watch = new ScoreWatch(log, fraud.scores.topic.name, topology.partitions, (records) => {
    for (const { key } of records) {
      const id = Buffer.from(key!).toString()
      times.set(id, (times.get(id) ?? 0) + 1)
    }
  })
  const watching = watch.run(stop.signal, 20)
  let sent = 0
  const send = async (count: number): Promise<void> => {
    await appendEvenly(stage, { first: sent, count, customers: CUSTOMERS }, () => watch.seen)
    sent += count
    while (watch.seen < sent) await sleep(20)
  }
  const measure = async () => {
    const before = cpuSeconds()
    const startMs = performance.now()
    await send(payments)
    const seconds = (performance.now() - startMs) / 1_000
    const after = cpuSeconds()
    const micros = (who: keyof typeof before): number => Math.round(((after[who] - before[who]) * 1e6) / payments)
    const cpuMicroseconds = { workers: micros('workers'), broker: micros('broker'), redis: micros('redis') }
    return { perSecond: Math.round(payments / seconds), cpuMicroseconds }
  }
  await startWorker()
  await send(WARM_UP)
  const one = await measure()
  // While it moves, payments go on.
  const moving = send(WARM_UP)
  await startWorker()
  await moving
  await send(WARM_UP)
  const two = await measure()
  stop.abort()
  await watching
  const doubled = [...times.values()].filter((count) => count > 1).length
  return {
    payments,
    one,
    two,
    scaling: Math.round((100 * two.perSecond) / one.perSecond) / 100,
    lost: sent - times.size,
    doubled,
  }
})
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
