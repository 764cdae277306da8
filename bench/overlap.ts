/**
 * What one task gains by going on while models have a batch: `node bench/overlap.ts [models] [payments] [rounds]` (default
 * 3000,50us,100us, 6,000 and 3). A backlog of generated payments and labels on SQLite is worked off live, per model in turns
 * with every answer waited for at once and with batches left open, each time from an empty folder. `3000`: so many random
 * trees of depth 6 on a thread, which takes a core; `50us`: a stand-in for a device, a timer of 50 µs per row, which takes
 * none. Prints medians of payments/s by the clock, without the first tenth.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectBySize } from '../cli/garbage.ts'
import { parseManifest } from '../gpu/manifest.ts'
import { createWorkerScorer } from '../gpu/onnx-worker-scorer.ts'
import type { ModelHosts } from '../scenarios/define-scenario.ts'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { generatedAdmissions, STREAM_START_MS } from '../scenarios/fraud/stream.ts'
import { createOnnxHosts } from '../scenarios/model-hosts.ts'
import { addModel, type NewModel } from '../scenarios/model-records.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import { runLive } from '../streams/run-live.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'
import { randomTrees } from './random-trees.ts'

collectBySize()

const wanted = (process.argv[2] ?? '3000,50us,100us').split(',')
const payments = Number(process.argv[3] ?? 6_000)
const rounds = Number(process.argv[4] ?? 3)
const BATCH = 256
const names = fraud.featureSet.names
const stream = { payments, days: 10, seed: 1, world: 'drift', labelDelayMs: 86_400_000 } as const
const admissions = [...generatedAdmissions(fraud.topology(1), stream, 0, null)].flat()
const isPayment = ({ topic }: { readonly topic: string }): boolean => topic === fraud.event.topic.name
const expected = admissions.filter(isPayment).length

for (const [index, name] of [wanted[0]!, ...wanted].entries()) {
  const isDevice = name.endsWith('us')
  const model = randomTrees(names, 1, 0, isDevice ? 1 : Number(name))
  const perRowMs = isDevice ? Number.parseFloat(name) / 1_000 : null
  const rates = { awaited: [] as number[], beside: [] as number[] }
  // The first one runs once more before, unreported: the code is compiled then.
  for (let round = 0; round < (index === 0 ? 1 : rounds); round++) {
    rates.awaited.push(await run(model, perRowMs, 'awaited'))
    rates.beside.push(await run(model, perRowMs, 'beside'))
  }
  if (index === 0) continue
  const [awaited, beside] = [median(rates.awaited), median(rates.beside)]
  const figures = {
    model: name,
    msOf256Rows: perRowMs === null ? await runMs(model) : Math.round(100 * BATCH * perRowMs) / 100,
    paymentsPerSecond: { awaited, beside },
    gain: Math.round((100 * beside) / awaited) / 100,
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** Payments per second. */
async function run(model: NewModel, perRowMs: number | null, answers: 'awaited' | 'beside'): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-overlap-bench-'))
  const log = openSqliteLog(join(directory, 'log.sqlite'), { checkpoints: 'background' })
  const store = openSqliteStateStore(join(directory, 'state.sqlite'), { checkpoints: 'background' })
  const onnx = createOnnxHosts({
    featureNames: names,
    read: async () => model.bytes,
    provider: 'cpu',
    swaps: 'once open',
    onFailure: (error) => {
      throw error
    },
  })
  const hosts = perRowMs === null ? onnx : deviceHosts(perRowMs)
  try {
    const topology = fraud.topology(1, undefined, undefined, answers === 'beside' ? hosts : waitedFor(hosts))
    await log.ensureTopics(topology.topics)
    await addModel(log, fraud.name, model, STREAM_START_MS - 1)
    for (const topic of new Set(admissions.map((admission) => admission.topic))) {
      const own = admissions.filter((admission) => admission.topic === topic)
      const records = own.map(({ atMs, key, value }) => ({ key: Buffer.from(key!), value, timestampMs: atMs }))
      await log.append([{ topic, partition: 0, records }])
    }
    const stop = new AbortController()
    let from: { readonly ms: number; readonly scored: number } | null = null
    let rate = Number.NaN
    await runLive({
      topology,
      log,
      store,
      signal: stop.signal,
      clock: Date.now,
      batchRecords: 1_000,
      async onPass() {
        const scored = Number((await log.bounds(fraud.scores.topic.name, 0)).end)
        const ms = performance.now()
        if (from === null && scored > expected / 10) from = { ms, scored }
        if (scored < expected || stop.signal.aborted) return
        rate = Math.round((1_000 * (scored - from!.scored)) / (ms - from!.ms))
        stop.abort()
      },
    })
    return rate
  } finally {
    await onnx.close()
    await log.close()
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

/** A device that takes so long per row, and nothing of this machine. */
function deviceHosts(perRowMs: number): ModelHosts {
  return {
    hostOf: () => ({
      runsBeside: true,
      async answer(scoring, rows) {
        await sleep(rows.length * perRowMs)
        const probabilities = new Float32Array(rows.length).fill(0.5)
        return { models: scoring.map(({ name, version }) => ({ name, version, probabilities })), degraded: false }
      },
    }),
  }
}

/** Hosts that say nothing of a thread, so that every answer is waited for. */
function waitedFor(hosts: ModelHosts): ModelHosts {
  return {
    hostOf(task) {
      const host = hosts.hostOf(task)
      return { answer: (scoring, rows) => host.answer(scoring, rows) }
    },
  }
}

/** The median of 20 runs of 256 rows on a thread, milliseconds. */
async function runMs({ bytes, record }: NewModel): Promise<number> {
  const scorer = await createWorkerScorer(bytes, parseManifest(record.manifest), { provider: 'cpu' })
  const rows = new Float32Array(BATCH * names.length).fill(0.5)
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    const startMs = performance.now()
    await scorer.score(rows, BATCH)
    times.push(performance.now() - startMs)
  }
  await scorer.close()
  return Math.round(100 * median(times)) / 100
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
