import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import { dlqTopic, lateTopic } from '../schemas/topics.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { createMemoryLog } from '../streams/event-log/memory.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import type { Counts } from '../streams/outbox.ts'
import { replay } from '../streams/replay.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'
import type { Scenario } from './define-scenario.ts'
import { TARGET_FPR } from './fraud/fraud.ts'
import {
  type FileInput,
  fileAdmissions,
  type GeneratedStream,
  generatedAdmissions,
  STREAM_START_MS,
} from './replay-input.ts'
import { type OutputWatch, openReplayOutput } from './replay-output.ts'
import { replayReport, warmUpMs } from './replay-report.ts'
import { createEvaluation, type EvaluationCollector } from './report/evaluation.ts'
import { renderReport } from './report/render-report.ts'
import type { Evaluation, FlowCounts } from './report/report-data.ts'

export interface ReplayOptions {
  readonly scenario: Scenario
  /** Empty: the generated stream. */
  readonly inputs: readonly FileInput[]
  readonly stream: GeneratedStream
  readonly sliceMs: number
  /** Items whose clock is at or after this are not admitted; null: all. */
  readonly untilMs: number | null
  /** Keeps log, state and models; null: in memory, gone afterwards. */
  readonly stateDir: string | null
  /** Scores as NDJSON, one a line, `.gz` compressed; a folder (name ending in `/`): a file per output topic. */
  readonly output: string | null
  /** Where to write the report, one HTML file; null: none. */
  readonly report: string | null
  /** null: the beginning; for the generated stream, the end of the frozen arms' warm-up. */
  readonly evaluateFromMs: number | null
  readonly evaluateUntilMs: number | null
  readonly batchRecords: number
  readonly onProgress?: (progress: {
    readonly items: number
    readonly atMs: number
    readonly itemsPerSecond: number
  }) => void
  /** Sees every score and outcome beside the files. */
  readonly watch?: OutputWatch
}

export interface ReplaySummary {
  readonly flow: FlowCounts & { readonly balanced: boolean; readonly labels: number }
  /** null when the stretch holds no fraud, or nothing else. */
  readonly evaluation: Evaluation | null
  /** The head of the generated stream that was left out of the evaluation, event time; null: nothing was. */
  readonly skippedWarmUpMs: number | null
  /** SHA-256 of the output lines; null without an output. */
  readonly outputSha256: string | null
  readonly elapsedMs: number
  readonly paymentsPerSecond: number
  readonly peakRssBytes: number
}

/** Replays files, or the generated stream, through the whole topology in virtual time and measures both arms. */
export async function replayScenario(options: ReplayOptions): Promise<ReplaySummary> {
  const { scenario, stateDir } = options
  const startedMs = performance.now()
  if (stateDir !== null) mkdirSync(stateDir, { recursive: true })
  if (options.report !== null) mkdirSync(dirname(options.report), { recursive: true })
  const log = stateDir === null ? createMemoryLog() : openSqliteLog(join(stateDir, 'log.sqlite'))
  const store = stateDir === null ? null : openSqliteStateStore(join(stateDir, 'state.sqlite'))
  try {
    const topology = scenario.topology(1, options.sliceMs)
    const inputTopic = `rheo.${scenario.name}.input-${inputId(options)}.v1`
    await log.ensureTopics([
      ...topology.topics,
      { name: inputTopic, partitions: COUNTED.length, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 },
    ])
    const starts = await outputStarts(log, scenario, inputTopic)
    const evaluation = createEvaluation({
      arms: [...scenario.armNames].reverse(),
      rules: scenario.ruleSet.rules.map(({ name }) => name),
      targetFpr: TARGET_FPR,
    })
    const afterwards = stateDir === null ? 'drop' : 'keep'
    const watch = options.watch ?? null
    const reader = openReplayOutput({ log, scenario, starts, output: options.output, evaluation, afterwards, watch })
    let admittedBefore = -1
    let before: CountsBefore = { rejected: 0, deleted: 0, duplicates: 0 }
    const tasks = await replay({
      topology,
      log,
      store,
      inputTopic,
      sliceMs: options.sliceMs,
      batchRecords: options.batchRecords,
      async started([task]) {
        before = await countsBefore(log, scenario, inputTopic, task!.counts)
      },
      items(skip) {
        admittedBefore = skip
        return options.inputs.length > 0
          ? fileAdmissions(scenario, topology, options.inputs, skip, options.untilMs)
          : generatedAdmissions(topology, options.stream, skip, options.untilMs)
      },
      async afterGroup({ admitted, atMs }) {
        await reader.read()
        const itemsPerSecond = ((admitted - admittedBefore) / (performance.now() - startedMs)) * 1_000
        options.onProgress?.({ items: admitted, atMs, itemsPerSecond })
      },
    })
    await reader.read()
    const outputSha256 = reader.close()
    const counts = tasks[0]!.counts
    const since = async (topic: string): Promise<number> =>
      Number((await log.bounds(topic, 0)).end - (starts.get(topic) ?? 0n))
    const payments = scenario.event.topic.name
    const deadLetters = await since(dlqTopic(payments))
    const late = await since(lateTopic(payments))
    const duplicates = (counts[`duplicates.${scenario.event.kind}`] ?? 0) - before.duplicates
    const deleted = counts.deleted - before.deleted
    const refusedRows = deadLetters - Math.min(deadLetters, counts.rejected - before.rejected)
    const input = (await since(payments)) + refusedRows
    const elapsedMs = performance.now() - startedMs
    const skippedWarmUpMs = skippedOf(options)
    const summary: ReplaySummary = {
      flow: {
        input,
        scored: reader.scores,
        deadLetters,
        late,
        duplicates,
        deleted,
        labels: await since(scenario.label.topic.name),
        balanced: input === reader.scores + deadLetters + late + duplicates + deleted,
      },
      evaluation: measure(evaluation, options, skippedWarmUpMs),
      skippedWarmUpMs,
      outputSha256,
      elapsedMs,
      paymentsPerSecond: (reader.scores / elapsedMs) * 1_000,
      peakRssBytes: process.resourceUsage().maxRSS * 1_024,
    }
    if (options.report !== null) {
      writeFileSync(options.report, renderReport(replayReport(options, summary)))
    }
    return summary
  } finally {
    await log.close()
    await store?.close()
  }
}

/** Where this input's part of every topic begins: set at its first call, found again at later ones. */
async function outputStarts(
  log: EventLog,
  scenario: Scenario,
  inputTopic: string,
): Promise<ReadonlyMap<string, bigint>> {
  const group = await log.acquire(`rheo-start-${inputTopic}`, 'topics')
  const side = [scenario.event.topic.name, scenario.label.topic.name].flatMap((name) => [
    name,
    dlqTopic(name),
    lateTopic(name),
  ])
  const starts = new Map<string, bigint>()
  for (const topic of [scenario.scores.topic.name, scenario.outcomes.topic.name, ...side]) {
    starts.set(topic, (await group.committed(topic, 0)) ?? (await log.bounds(topic, 0)).end)
  }
  await group.commit({ appends: [], positions: [...starts].map(([topic, next]) => ({ topic, partition: 0, next })) })
  return starts
}

/** The counters that go on over all inputs of a state directory, in the order of their partitions on the input's topic. */
const COUNTED = ['rejected', 'deleted', 'duplicates'] as const
type CountsBefore = Record<(typeof COUNTED)[number], number>

/** What the counters stood at when this input began: kept as positions, like the starts of the topics. */
async function countsBefore(
  log: EventLog,
  scenario: Scenario,
  inputTopic: string,
  counts: Counts,
): Promise<CountsBefore> {
  const group = await log.acquire(`rheo-start-${inputTopic}`, 'counts')
  const now: CountsBefore = {
    rejected: counts.rejected,
    deleted: counts.deleted,
    duplicates: counts[`duplicates.${scenario.event.kind}`] ?? 0,
  }
  const before = { ...now }
  for (const [partition, name] of COUNTED.entries()) {
    before[name] = Number((await group.committed(inputTopic, partition)) ?? BigInt(now[name]))
  }
  const positions = COUNTED.map((name, partition) => ({ topic: inputTopic, partition, next: BigInt(before[name]) }))
  await group.commit({ appends: [], positions })
  return before
}

function skippedOf({ scenario, inputs, stream, evaluateFromMs }: ReplayOptions): number | null {
  if (inputs.length > 0 || evaluateFromMs !== null) return null
  return warmUpMs(scenario, stream) || null
}

function measure(
  evaluation: EvaluationCollector,
  options: ReplayOptions,
  skippedWarmUpMs: number | null,
): Evaluation | null {
  const fromMs = skippedWarmUpMs === null ? options.evaluateFromMs : STREAM_START_MS + skippedWarmUpMs
  const window = {
    ...(fromMs === null ? {} : { fromMs }),
    ...(options.evaluateUntilMs === null ? {} : { untilMs: options.evaluateUntilMs }),
  }
  try {
    return evaluation.measure(window)
  } catch (cause) {
    if (cause instanceof RangeError) return null
    throw cause
  }
}

/** The same input gives the same id: files by name, size and map, the generated stream by its options. */
function inputId(options: ReplayOptions): string {
  if (options.inputs.length === 0 && options.stream.payments < 1) {
    throw new RheoError('USAGE', 'there is nothing to replay', {
      hint: 'Give --input FILE --map MAP.json, or --payments N.',
    })
  }
  const what = options.inputs.length > 0 ? options.inputs.map(({ file, map }) => [file, map]) : options.stream
  return createHash('sha256')
    .update(JSON.stringify([what, options.sliceMs]))
    .digest('hex')
    .slice(0, 12)
}
