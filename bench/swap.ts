/**
 * Swaps models under load: `node bench/swap.ts [seconds] [payments per second] [trees]` (default 30, 2,000 and 100). Live on
 * SQLite, and every three seconds a new version is added as `rheo model add` does it. Checks that every payment is scored,
 * that each version takes over once and for good, and that no score names a version without a record; prints the pauses, and
 * before that what a version costs on the run loop's thread and on one of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectBySize } from '../cli/garbage.ts'
import { type Manifest, parseManifest } from '../gpu/manifest.ts'
import { createOnnxScorer } from '../gpu/onnx-scorer.ts'
import { createWorkerScorer } from '../gpu/onnx-worker-scorer.ts'
import { createProbabilityScorer } from '../gpu/probability-scorer.ts'
import type { Scorer } from '../gpu/scorer.ts'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { startLivePayments } from '../scenarios/fraud/generator/live-payments.ts'
import { createFileReader } from '../scenarios/model-files.ts'
import { createOnnxHosts } from '../scenarios/model-hosts.ts'
import { addModel, readModelRecords } from '../scenarios/model-records.ts'
import type { Score } from '../schemas/generated/fraud/score.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import { eventOf } from '../streams/event-value.ts'
import { runLive } from '../streams/run-live.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'
import { randomTrees } from './random-trees.ts'

collectBySize()

const seconds = Number(process.argv[2] ?? 30)
const perSecond = Number(process.argv[3] ?? 2_000)
const trees = Number(process.argv[4] ?? 100)
const NEAR_MS = 250
const SWAP_EVERY_MS = 3_000
const LIMITS = { maxRecords: 10_000, maxBytes: 64 * 1_048_576 }
const names = fraud.featureSet.names

const models = Array.from({ length: Math.ceil((seconds * 1_000) / SWAP_EVERY_MS) }, (_, i) =>
  randomTrees(names, i + 1, 0, trees),
)
const onThread = async (bytes: Uint8Array, manifest: Manifest) =>
  createProbabilityScorer(await createWorkerScorer(bytes, manifest, { provider: 'cpu' }), manifest, names)
const onLoop = async (bytes: Uint8Array, manifest: Manifest) =>
  createProbabilityScorer(await createOnnxScorer(bytes, manifest, { provider: 'cpu' }), manifest, names)
process.stdout.write(`on the loop's thread ${JSON.stringify(await costOf(onLoop))}\n`)
process.stdout.write(`on one of its own    ${JSON.stringify(await costOf(onThread))}\n`)
const clock = (): number => performance.timeOrigin + performance.now()
const directory = mkdtempSync(join(tmpdir(), 'rheo-swap-bench-'))
const log = openSqliteLog(join(directory, 'log.sqlite'), { checkpoints: 'background' })
const store = openSqliteStateStore(join(directory, 'state.sqlite'), { checkpoints: 'background' })
const hosts = createOnnxHosts({
  featureNames: names,
  read: createFileReader(log, fraud.name),
  provider: 'cpu',
  swaps: 'once open',
  onFailure: (error) => {
    throw error
  },
})
try {
  const topology = fraud.topology(1, undefined, undefined, hosts)
  await log.ensureTopics(topology.topics)
  const options = { perSecond, labelDelayMs: 1_000, seed: 1, world: 'drift', clock } as const
  const live = await startLivePayments(log, topology, options)
  const codec = topology.outputs[0]!.codec
  const stop = new AbortController()
  const startMs = clock()
  const startCpu = process.cpuUsage()
  const dueMs = new Map<string, number>()
  const latencies: number[] = []
  const versions: string[] = []
  const readableMs: number[] = []
  let swaps = 0
  let fed = 0
  let degraded = 0
  let next = 0n
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
      for (const { value } of fetched.records) {
        const score = eventOf(value, codec) as Score
        latencies.push(nowMs - dueMs.get(score.paymentId)!)
        dueMs.delete(score.paymentId)
        versions.push(score.modelName)
        if (score.degraded) degraded++
        readableMs.push(nowMs)
      }
      if (phase === 'draining') return
      if (nowMs - startMs >= seconds * 1_000) return stop.abort()
      for (const payment of await live.feed()) {
        dueMs.set(payment.paymentId, payment.dueMs)
        fed++
      }
      if (nowMs - startMs < (swaps + 1) * SWAP_EVERY_MS) return
      const model = models[swaps++]!
      await addModel(log, fraud.name, model, Math.floor(nowMs))
    },
  })
  const cpu = process.cpuUsage(startCpu)
  const records = await readModelRecords(log, 'fraud')
  const recorded = new Set(['ftrl', ...records.map(({ name, version }) => `ftrl+${name}@${version}`)])
  const order = versions.filter((version, i) => i === 0 || version !== versions[i - 1])
  const pauses = readableMs.slice(1).map((ms, i) => ms - readableMs[i]!)
  // A version is opened in a pass before the one that it first scores in.
  const swapPauses = pauses.flatMap((_, i) => {
    if (versions[i] === versions[i + 1]) return []
    const near = pauses.filter((_, n) => Math.abs(readableMs[n]! - readableMs[i]!) < NEAR_MS)
    return [Math.max(...near)]
  })
  latencies.sort((a, b) => a - b)
  const figures = {
    fed,
    scored: versions.length,
    unscored: dueMs.size,
    swaps,
    versionsInOrder: order,
    eachOnce: new Set(order).size === order.length,
    scoredByUnrecorded: versions.filter((version) => !recorded.has(version)).length,
    degraded,
    cpuUsPerScore: Math.round((cpu.user + cpu.system) / versions.length),
    pauseMsAtSwaps: swapPauses.map((ms) => Math.round(ms)),
    longestPauseMs: Math.round(Math.max(...pauses)),
    latencyMs: { p50: at(latencies, 0.5), p99: at(latencies, 0.99), max: at(latencies, 1) },
  }
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
  const isWhole =
    figures.unscored === 0 && fed === figures.scored && figures.eachOnce && figures.scoredByUnrecorded === 0
  process.exitCode = isWhole ? 0 : 1
} finally {
  await hosts.close()
  await log.close()
  await store.close()
  rmSync(directory, { recursive: true })
}

function at(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! * 10) / 10
}

/** Medians: of five openings (CPU time is that of all threads), and of 200 runs for each batch. */
async function costOf(open: (bytes: Uint8Array, manifest: Manifest) => Promise<Scorer>) {
  const openMs: number[] = []
  const openCpuMs: number[] = []
  const runUs: Record<string, number> = {}
  for (const { bytes, record } of models.slice(0, 5)) {
    const manifest = parseManifest(record.manifest)
    const startMs = performance.now()
    const startCpu = process.cpuUsage()
    const scorer = await open(bytes, manifest)
    openMs.push(performance.now() - startMs)
    const cpu = process.cpuUsage(startCpu)
    openCpuMs.push((cpu.user + cpu.system) / 1_000)
    for (const batch of [1, 16, 256]) {
      const rows = new Float32Array(batch * names.length).fill(0.5)
      const times: number[] = []
      for (let i = 0; i < 200; i++) {
        const beganMs = performance.now()
        await scorer.score(rows, batch)
        times.push(1_000 * (performance.now() - beganMs))
      }
      runUs[`batch ${batch}`] = median(times)
    }
    await scorer.close()
  }
  return { megabytes: models[0]!.bytes.length / 1e6, openMs: median(openMs), openCpuMs: median(openCpuMs), runUs }
}

function median(values: number[]): number {
  return at(
    values.sort((a, b) => a - b),
    0.5,
  )
}
