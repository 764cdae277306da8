/**
 * Live on SQLite in one process: `node bench/live.ts [seconds] [payments per second]` (default 60 and 2,000). An open
 * loop: payments fall due at an even rate whether or not the scenario keeps up, and latency counts from that moment to
 * the one in which the score is readable. Labels come back a second later, so the model learns meanwhile. Prints one
 * JSON document.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectBySize } from '../cli/garbage.ts'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { startLivePayments } from '../scenarios/fraud/generator/live-payments.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import { runLive } from '../streams/run-live.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'

collectBySize()

const seconds = Number(process.argv[2] ?? 60)
const perSecond = Number(process.argv[3] ?? 2_000)
const LABEL_DELAY_MS = 1_000
/** The first moments, in which code is compiled, are reported apart. */
const WARM_UP_MS = 2_000
const LIMITS = { maxRecords: 10_000, maxBytes: 64 * 1_048_576 }

const clock = (): number => performance.timeOrigin + performance.now()
const directory = mkdtempSync(join(tmpdir(), 'rheo-live-bench-'))
const log = openSqliteLog(join(directory, 'log.sqlite'), { checkpoints: 'background' })
const store = openSqliteStateStore(join(directory, 'state.sqlite'), { checkpoints: 'background' })
try {
  const topology = fraud.topology(1)
  await log.ensureTopics(topology.topics)
  const live = await startLivePayments(log, topology, {
    perSecond,
    labelDelayMs: LABEL_DELAY_MS,
    seed: 1,
    world: 'drift',
    clock,
  })
  const dueMs = new Map<string, number>()
  const latencies: number[] = []
  const warmUp: number[] = []
  const passes: number[] = []
  const stop = new AbortController()
  const startMs = clock()
  const startCpu = process.cpuUsage()
  let next = 0n
  let fed = 0
  let passEndMs = startMs
  await runLive({
    topology,
    log,
    store,
    signal: stop.signal,
    clock: () => Math.floor(clock()),
    batchRecords: 1_000,
    idleMs: 2,
    async onPass({ phase }) {
      const fetched = await log.fetch(fraud.scores.topic.name, 0, next, LIMITS)
      const nowMs = clock()
      next = fetched.next
      for (const { key } of fetched.records) {
        const id = Buffer.from(key!).toString()
        const latencyMs = nowMs - dueMs.get(id)!
        if (nowMs - startMs < WARM_UP_MS) warmUp.push(latencyMs)
        else latencies.push(latencyMs)
        dueMs.delete(id)
      }
      passes.push(nowMs - passEndMs)
      passEndMs = nowMs
      if (phase === 'draining') return
      if (nowMs - startMs >= seconds * 1_000) return stop.abort()
      for (const payment of await live.feed()) {
        dueMs.set(payment.paymentId, payment.dueMs)
        fed++
      }
    },
  })
  const cpu = process.cpuUsage(startCpu)
  latencies.sort((a, b) => a - b)
  warmUp.sort((a, b) => a - b)
  passes.sort((a, b) => a - b)
  const figures = {
    seconds,
    perSecond,
    fed,
    scored: latencies.length + warmUp.length,
    unscored: dueMs.size,
    latencyMs: quantiles(latencies),
    latencyMsWarmUp: quantiles(warmUp),
    passMs: quantiles(passes),
    cpuSecondsPerSecond: round((cpu.user + cpu.system) / 1e6 / seconds),
    peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1_024),
  }
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
} finally {
  await log.close()
  await store.close()
  rmSync(directory, { recursive: true })
}

function quantiles(sorted: readonly number[]): Record<string, number | null> {
  const at = (share: number): number | null =>
    sorted.length === 0 ? null : round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!)
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
