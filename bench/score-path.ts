/**
 * The whole score path without the log: fraud's features, 100 trees through ONNX, FTRL, calibration, threshold, reasons.
 * `node bench/score-path.ts [batch] [payments] [model.onnx]` (default 256 and 120,000, random trees of depth 6). Folds
 * generated payments of 60 days and their labels through the scenario's own steps, and prints CPU time per stage and
 * event; the first half warms up, and fills the windows. Labels come a day later, so the model learns meanwhile.
 */
import { collectBySize } from '../cli/garbage.ts'
import { MODEL_RECORD, type ModelRecord } from '../processors/inference.ts'
import { type Emit, type Entry, FEEDBACK, type Step } from '../processors/step.ts'
import { fraud } from '../scenarios/fraud/fraud.ts'
import { generatePayments } from '../scenarios/fraud/generator/generate-payments.ts'
import { withLabels } from '../scenarios/fraud/generator/labels.ts'
import { readGivenModel } from '../scenarios/given-model.ts'
import { createOnnxHosts } from '../scenarios/model-hosts.ts'
import type { ModelHost } from '../streams/model-host.ts'
import { randomTrees } from './random-trees.ts'

collectBySize()

const batch = Number(process.argv[2] ?? 256)
const payments = Number(process.argv[3] ?? 120_000)
const file = process.argv[4] ?? null
const START_MS = Date.UTC(2026, 0, 1)
const DAYS = 60
const REACTION_MS = 900_000
/** As the run loop does it. */
const PREFETCHED = 32
const names = fraud.featureSet.names

interface Running {
  readonly name: string
  readonly step: Step
  readonly models: ModelHost | null
  readonly states: Map<string, unknown>
  queue: Entry[]
  /** The key being folded, for `forget`. */
  key: string
  cpuUs: number
}

const model =
  file === null
    ? randomTrees(names, 1, START_MS)
    : await readGivenModel({ file, scenario: fraud, as: null, fromMs: START_MS })
const hosts = createOnnxHosts({
  featureNames: names,
  read: async () => model.bytes,
  provider: 'cpu',
  swaps: 'at its record',
  onFailure: (error) => {
    throw error
  },
})
const topology = fraud.topology(1, REACTION_MS, undefined, hosts)
const stages = topology.stages.map((stage): Running => {
  const models = stage.models?.(0) ?? null
  const run = { name: stage.name, step: stage.create(0), models, states: new Map(), queue: [], key: '' }
  return { ...run, cpuUs: 0 }
})
const byName = new Map(stages.map((stage) => [stage.name, stage]))
/** Of the stage that folds, as of the entry being folded. */
let watermarkMs = START_MS
let outputs = 0
let folding: Running = stages[0]!

const push = (
  stage: string,
  kind: string,
  key: string,
  eventTimeMs: number,
  body: unknown,
  features: Entry['features'],
) => byName.get(stage)!.queue.push({ kind, key, eventTimeMs, watermarkMs, channel: FEEDBACK, body, features })
const emit: Emit = {
  get watermarkMs() {
    return watermarkMs
  },
  to: push,
  feedback: (stage, kind, key, tMs, body) => push(stage, kind, key, tMs, body, null),
  broadcast: (stage, kind, tMs, body) => push(stage, kind, '', tMs, body, null),
  output: () => {
    outputs++
  },
  timer: () => undefined,
  forget: () => {
    folding.states.delete(folding.key)
  },
  late: () => undefined,
  duplicate: () => undefined,
}

/** Asking for CPU time costs as much as scoring a payment or two: once per stage and batch. */
let markUs = 0
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function turn(stage: Running, isMeasured: boolean): Promise<void> {
  const { step, models, queue, states } = stage
  if (queue.length === 0) return
  stage.queue = []
  folding = stage
  watermarkMs = Number.NEGATIVE_INFINITY
  if (step.inquiry !== undefined && models !== null) {
    const answers = []
    for (const { scoring, rows } of step.inquiry.questions(queue)) answers.push(await models.answer(scoring, rows))
    step.inquiry.take(answers)
  }
  for (let i = 0; i < queue.length; i++) {
    if (i % PREFETCHED === 0 && step.prefetch !== undefined) {
      const ahead: unknown[] = []
      for (let j = i; j < queue.length && j < i + PREFETCHED; j++) {
        const state = states.get(queue[j]!.key)
        if (state !== undefined) ahead.push(state)
      }
      step.prefetch(ahead)
    }
    const entry = queue[i]!
    stage.key = entry.key
    watermarkMs = Math.max(watermarkMs, entry.watermarkMs)
    let state: unknown
    if (step.table !== null && entry.key !== '') {
      state = states.get(entry.key)
      if (state === undefined) {
        state = step.table.create(entry.key)
        states.set(entry.key, state)
      }
    }
    step.fold(entry, state, emit)
  }
  const nowUs = cpuUs()
  if (isMeasured) stage.cpuUs += nowUs - markUs
  markUs = nowUs
}

const [paymentSource, labelSource] = topology.sources
push('infer', MODEL_RECORD, '', START_MS, model.record satisfies ModelRecord, null)
let nowMs = START_MS
let seen = 0
let measured = 0
let inBatch = 0
const world = { payments: payments * 1.05, days: DAYS, seed: 1, world: 'drift', start: START_MS } as const
for (const item of withLabels(generatePayments(world), { delay: 86_400_000, seed: 1, coverage: 'all' })) {
  const isPayment = item.kind === 'payment'
  const event = isPayment ? item.generated.payment : item.label
  nowMs = Math.max(nowMs, event.eventTime)
  watermarkMs = nowMs
  const source = isPayment ? paymentSource! : labelSource!
  source.route(event, event.eventTime, emit)
  if (!isPayment) continue
  seen++
  inBatch++
  if (inBatch < batch) continue
  const isMeasured = seen > payments / 2
  markUs = cpuUs()
  for (const stage of stages) await turn(stage, isMeasured)
  if (isMeasured) measured += inBatch
  inBatch = 0
  if (seen >= payments) break
}
await hosts.close()

const us = (stage: Running): number => stage.cpuUs / measured
const windows = stages.filter(({ name }) => !['infer', 'score', 'learn'].includes(name))
const path = stages.filter(({ name }) => name === 'infer' || name === 'score')
const sum = (of: readonly Running[]): number => of.reduce((total, stage) => total + us(stage), 0)
console.log(
  `batch ${batch}, ${measured} payments measured, ${outputs} scores and outcomes in all, ${names.length} features`,
)
for (const stage of stages)
  console.log(`  ${stage.name.padEnd(12)} ${us(stage).toFixed(2).padStart(8)} µs CPU per payment`)
const line = (what: string, of: readonly Running[]): void =>
  console.log(`${what.padEnd(62)} ${Math.round(1e6 / sum(of)).toLocaleString('en')} payments/s per core`)
line('features complete, trees, FTRL, calibration, threshold, reasons', path)
line('the same with the sliding windows of all entities', [...windows, ...path])
line('the same with learning from every label', stages)
