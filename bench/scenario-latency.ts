/**
 * Latency of the whole fraud scenario on Kafka and Redis: `node bench/scenario-latency.ts [seconds] [payments per second]
 * [workers] [partitions]` (default 60, 1,000, 1 and 4). Starts one broker, Redis and the workers (`rheo run fraud`) by
 * itself. An open loop: payments fall due at an even rate whether or not the workers keep up, and latency counts from that
 * moment to the one in which a reader has the score with read_committed. A minute and a half of warm-up is left out: the
 * broker's JVM compiles. Prints one JSON document.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { onFraudStage } from './servers/fraud-stage.ts'
import { PaymentSource } from './servers/payment-source.ts'
import { quantiles } from './servers/quantiles.ts'
import { ScoreWatch } from './servers/score-watch.ts'
import { appendDue } from './servers/sender.ts'
import type { Worker } from './servers/worker.ts'

const [seconds = 60, perSecond = 1_000, workerCount = 1, partitions = 4] = process.argv.slice(2).map(Number)
const WARM_UP_MS = 90_000
const DRAIN_MS = 30_000

const figures = await onFraudStage(async ({ topology, log, sender, startWorker, cpuSeconds }) => {
  const workers: Worker[] = []
  for (let i = 0; i < workerCount; i++) workers.push(await startWorker())
  const dueMs = new Map<string, number>()
  const latencies: number[] = []
  const startMs = Date.now()
  const measureFromMs = startMs + WARM_UP_MS
  const stop = new AbortController()
  const watch = new ScoreWatch(log, fraud.scores.topic.name, topology.partitions, (records) => {
    const nowMs = performance.timeOrigin + performance.now()
    for (const { key } of records) {
      const id = Buffer.from(key!).toString()
      const due = dueMs.get(id)
      dueMs.delete(id)
      if (due !== undefined && due >= measureFromMs) latencies.push(nowMs - due)
    }
  })
  const watching = watch.run(stop.signal, 20)
  const options = { perSecond, seed: 1, payments: 500_000, labelDelayMs: 2_000, labelled: 0.2 }
  const source = new PaymentSource(topology, options, startMs)
  let before: ReturnType<typeof cpuSeconds> | null = null
  while (Date.now() < measureFromMs + seconds * 1_000) {
    if (before === null && Date.now() >= measureFromMs) before = cpuSeconds()
    const due = source.take(Date.now())
    for (const { id, dueMs: at } of due.payments) dueMs.set(id, at)
    await appendDue(sender, due)
    await sleep(5)
  }
  const after = cpuSeconds()
  for (const endMs = Date.now() + DRAIN_MS; dueMs.size > 0 && Date.now() < endMs; ) await sleep(50)
  stop.abort()
  await watching
  const micros = (who: keyof typeof after): number =>
    Math.round(((after[who] - before![who]) * 1e6) / (seconds * perSecond))
  return {
    seconds,
    perSecond,
    workers: workerCount,
    partitions,
    measured: latencies.length,
    unscored: dueMs.size,
    latencyMs: quantiles(latencies),
    cpuMicrosecondsPerPayment: { workers: micros('workers'), broker: micros('broker'), redis: micros('redis') },
    workerRssMiB: workers.map((worker) => Math.round(worker.rssMiB())),
  }
}, partitions)
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
