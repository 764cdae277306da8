/**
 * Cost per payment as state grows, and the start after a stop: `node bench/state-growth.ts [few] [many] [measured]`
 * (default 10,000 and 1,000,000 customers, who pay in turn), on Kafka and Redis that it starts itself, one worker
 * (`rheo run fraud`). Measured at each size: 40 s at 1,000 payments/s, and so many payments (default 150,000, several flushes)
 * as fast as they are scored. There the few share flushes, and the many are the worst case of any cache. The cost is CPU time:
 * it does not depend on who else uses the machine. In the end the worker is stopped and started again; the time counts from
 * the start of its process to the first score of a payment that was waiting. Prints one JSON document.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { appendEvenly } from './servers/even-payments.ts'
import { onFraudStage } from './servers/fraud-stage.ts'
import { ScoreWatch } from './servers/score-watch.ts'

const [few = 10_000, many = 1_000_000, measured = 150_000] = process.argv.slice(2).map(Number)
/** Code is compiled before the first measurement. */
const WARM_UP = 20_000
const LIVE = { perSecond: 1_000, settle: 10_000, measured: 40_000 }

const figures = await onFraudStage(async (stage) => {
  const { topology, log, startWorker, stopWorker, cpuSeconds } = stage
  const stop = new AbortController()
  const watch = new ScoreWatch(log, fraud.scores.topic.name, topology.partitions)
  const watching = watch.run(stop.signal, 20)
  let sent = 0
  const send = async (count: number, customers: number, perSecond?: number): Promise<void> => {
    const payments = { first: sent, count, customers, ...(perSecond === undefined ? {} : { perSecond }) }
    await appendEvenly(stage, payments, () => watch.seen)
    sent += count
    while (watch.seen < sent) await sleep(20)
  }
  const cost = async (count: number, customers: number, perSecond?: number) => {
    const before = cpuSeconds()
    const startMs = performance.now()
    await send(count, customers, perSecond)
    const after = cpuSeconds()
    const micros = (who: keyof typeof before): number => Math.round(((after[who] - before[who]) * 1e6) / count)
    return {
      cpuMicroseconds: { worker: micros('workers'), redis: micros('redis'), broker: micros('broker') },
      perSecond: Math.round((count * 1_000) / (performance.now() - startMs)),
      workerRssMiB: Math.round(worker.rssMiB()),
    }
  }
  const costs = async (customers: number) => {
    const fast = await cost(measured, customers)
    await send(LIVE.settle, customers, LIVE.perSecond)
    return { customers, live: await cost(LIVE.measured, customers, LIVE.perSecond), fast }
  }
  let worker = await startWorker()
  await send(WARM_UP, few)
  await send(few, few)
  const small = await costs(few)
  await send(many, many)
  const large = await costs(many)
  const ratio = (at: 'live' | 'fast'): number => {
    const [few, many] = [small[at].cpuMicroseconds, large[at].cpuMicroseconds]
    return Math.round((100 * (many.worker + many.redis)) / (few.worker + few.redis)) / 100
  }
  const stopMs = performance.now()
  await stopWorker(worker)
  const stopped = performance.now() - stopMs
  await appendEvenly(stage, { first: sent, count: 1, customers: many }, () => sent)
  const startMs = performance.now()
  worker = await startWorker()
  while (watch.seen <= sent) await sleep(5)
  const firstScoreMs = performance.now() - startMs
  stop.abort()
  await watching
  return {
    small,
    large,
    ratio: { live: ratio('live'), fast: ratio('fast') },
    stopSeconds: Math.round(stopped / 100) / 10,
    firstScoreAfterStartSeconds: Math.round(firstScoreMs / 100) / 10,
  }
})
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
