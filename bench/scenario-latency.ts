/**
 * Latency of the whole fraud scenario on Kafka and Redis: `node bench/scenario-latency.ts [seconds] [payments per second]
 * [workers]` (default 60, 1,000 and 1). Starts one broker, Redis and the workers (`rheo run fraud`) by itself. An open
 * loop: payments fall due at an even rate whether or not the workers keep up, and latency counts from that moment to the
 * one in which a reader has the score with read_committed. Half a minute of warm-up is left out. Prints one JSON document.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { openKafkaLog } from '../streams/event-log/kafka.ts'
import { startServers } from './servers/local-servers.ts'
import { PaymentSource } from './servers/payment-source.ts'
import { quantiles } from './servers/quantiles.ts'
import { ScoreWatch } from './servers/score-watch.ts'
import { appendDue, openSender } from './servers/sender.ts'
import { Worker } from './servers/worker.ts'

const [seconds = 60, perSecond = 1_000, workerCount = 1] = process.argv.slice(2).map(Number)
const PARTITIONS = 4
const WARM_UP_MS = 30_000
const DRAIN_MS = 30_000
const READY_MS = 120_000

const directory = mkdtempSync(join(tmpdir(), 'rheo-latency-'))
const servers = await startServers('kafka')
const log = openKafkaLog({ brokers: servers.brokers }, { maxWaitMs: 20 })
const sender = await openSender(servers.brokers)
const workers: Worker[] = []
const stop = new AbortController()
try {
  const topology = fraud.topology(PARTITIONS)
  await log.ensureTopics(topology.topics)
  for (let i = 0; i < workerCount; i++) workers.push(new Worker(`worker-${i}`, directory, servers.environment))
  for (const worker of workers) {
    if (!(await worker.runs(READY_MS))) throw new Error(`no worker:\n${worker.lastLines.join('\n')}`)
  }
  const dueMs = new Map<string, number>()
  const latencies: number[] = []
  let measureFromMs = Number.POSITIVE_INFINITY
  const watch = new ScoreWatch(log, fraud.scores.topic.name, PARTITIONS, (records) => {
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
  const startMs = Date.now()
  measureFromMs = startMs + WARM_UP_MS
  const source = new PaymentSource(topology, options, startMs)
  const untilMs = measureFromMs + seconds * 1_000
  let cpu: Record<string, number> | null = null
  const cpuNow = (): Record<string, number> => ({
    workers: workers.reduce((sum, worker) => sum + worker.cpuSeconds(), 0),
    broker: servers.cpuSeconds('broker 0'),
    redis: servers.cpuSeconds('redis'),
  })
  while (Date.now() < untilMs) {
    if (cpu === null && Date.now() >= measureFromMs) cpu = cpuNow()
    const due = source.take(Date.now())
    for (const payment of due.payments) dueMs.set(payment.id, payment.dueMs)
    await appendDue(sender, due)
    await sleep(5)
  }
  const used = cpuNow()
  for (const endMs = Date.now() + DRAIN_MS; dueMs.size > 0 && Date.now() < endMs; ) await sleep(50)
  stop.abort()
  await watching
  const perPayment = Object.fromEntries(
    Object.entries(used).map(([name, value]) => [
      name,
      Math.round(((value - cpu![name]!) * 1e6) / (seconds * perSecond)),
    ]),
  )
  const figures = {
    seconds,
    perSecond,
    workers: workerCount,
    measured: latencies.length,
    unscored: dueMs.size,
    latencyMs: quantiles(latencies),
    cpuMicrosecondsPerPayment: perPayment,
    workerRssMiB: workers.map((worker) => Math.round(worker.rssMiB())),
  }
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
  for (const worker of workers) worker.signal('SIGTERM')
  await Promise.all(workers.map(({ ended }) => ended))
} finally {
  stop.abort()
  await Promise.all(workers.filter(({ hasEnded }) => !hasEnded).map((worker) => worker.kill()))
  await Promise.allSettled([sender.disconnect(), log.close()])
  await servers.stop()
  rmSync(directory, { recursive: true, force: true })
}
