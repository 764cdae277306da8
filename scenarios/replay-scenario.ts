import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import { dlqTopic, lateTopic } from '../schemas/topics.ts'
import { createMemoryLog } from '../streams/event-log/memory.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import type { Counts } from '../streams/outbox.ts'
import { type Admission, replay } from '../streams/replay.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'
import type { Topology } from '../streams/topology.ts'
import type { BuiltInStream, GeneratedStream } from './built-in-stream.ts'
import type { Scenario } from './define-scenario.ts'
import { withExamples } from './dense-examples.ts'
import { createModelEvaluation } from './model-evaluation.ts'
import { makeFolder, openOutputFile } from './output-file.ts'
import { type Extent, INPUT_PARTITIONS, openExtent } from './replay-extent.ts'
import { type FileInput, fileAdmissions } from './replay-input.ts'
import { findStretches, type LogRange, logAdmissions } from './replay-log.ts'
import { openReplayModels, type ReplayModelOptions, type SilentModel } from './replay-models.ts'
import { type OutputWatch, openReplayOutput, type ReplayOutput } from './replay-output.ts'
import { replayReport, warmUpMs } from './replay-report.ts'
import { createEvaluation, type EvaluationCollector } from './report/evaluation.ts'
import { renderReport } from './report/render-report.ts'
import type { Evaluation, FlowCounts, ModelFigures } from './report/report-data.ts'

export interface ReplayOptions {
  readonly scenario: Scenario
  /** Empty: the generated stream. */
  readonly inputs: readonly FileInput[]
  /** A stretch of a log instead of files or the stream. */
  readonly logRange?: LogRange
  /** Of the scenario's own generator. */
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
  /** Score beside the online model, and are blended into the champion. Default: those that the log knows. */
  readonly models?: ReplayModelOptions
  /** Sees every score and outcome beside the files. */
  readonly watch?: OutputWatch
}

export interface ReplaySummary {
  readonly flow: FlowCounts & { readonly balanced: boolean; readonly labels: number }
  /** null when the stretch holds no fraud, or nothing else. */
  readonly evaluation: Evaluation | null
  /** The same where models scored; null: none did. */
  readonly models: ModelFigures | null
  /** Those that were there and scored nothing. */
  readonly silentModels: readonly SilentModel[]
  /** The head of the generated stream that was left out of the evaluation, event time; null: nothing was. */
  readonly skippedWarmUpMs: number | null
  /** SHA-256 of the output lines; null without an output. */
  readonly outputSha256: string | null
  readonly elapsedMs: number
  readonly paymentsPerSecond: number
  readonly peakRssBytes: number
}

/** Event time between two moments at which a model that is trained on the way may publish. */
const LEARN_EVERY_MS = 3_600_000
const NO_MODELS: ReplayModelOptions = { given: [], dense: null, provider: 'cpu', onFailure: () => undefined }

/** Replays files, a stretch of a log, or the generated stream through the whole topology in virtual time. */
export async function replayScenario(options: ReplayOptions): Promise<ReplaySummary> {
  const { scenario, stateDir, logRange = null } = options
  const startedMs = performance.now()
  if (stateDir !== null) makeFolder(stateDir)
  const report = options.report === null ? null : openOutputFile(options.report)
  const log = stateDir === null ? createMemoryLog() : openSqliteLog(join(stateDir, 'log.sqlite'))
  const store = stateDir === null ? null : openSqliteStateStore(join(stateDir, 'state.sqlite'))
  const models = await openReplayModels({ scenario, log, ...(options.models ?? NO_MODELS) })
  try {
    const declared = scenario.topology(1, options.sliceMs, undefined, models.hosts)
    const topology = models.learner === null ? declared : withExamples(declared)
    const stretches = logRange === null ? [] : await findStretches(logRange, topology)
    const id = inputId(options)
    const inputTopic = `rheo.${scenario.name}.input-${id}.v1`
    await log.ensureTopics([
      ...topology.topics,
      { name: inputTopic, partitions: INPUT_PARTITIONS, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 },
    ])
    await models.register()
    const evaluation = evaluationOf(scenario)
    const modelEvaluation =
      scenario.evaluation === undefined ? null : createModelEvaluation(scenario, scenario.evaluation)
    const scoredBy = new Set<string>()
    const watch: OutputWatch = {
      score(event) {
        const { challengers } = event as { readonly challengers: object }
        for (const name in challengers) scoredBy.add(name)
        options.watch?.score(event)
      },
      outcome(event, putOutMs) {
        modelEvaluation?.outcome(event)
        options.watch?.outcome(event, putOutMs)
      },
    }
    let extent: Extent | null = null
    let reader: ReplayOutput | null = null
    let admittedBefore = -1
    const tasks = await replay({
      topology,
      log,
      store,
      inputTopic,
      sliceMs: options.sliceMs,
      batchRecords: options.batchRecords,
      ...(models.learner === null
        ? {}
        : {
            between: {
              slices: Math.max(1, Math.round(LEARN_EVERY_MS / options.sliceMs)),
              async call(atMs: number) {
                while ((await models.learner!.advance(atMs)) > 0);
              },
            },
          }),
      async started([task]) {
        extent = await openExtent(log, scenario, id, inputTopic, task!.counts)
        reader = openReplayOutput({
          log,
          scenario,
          starts: extent.starts,
          ends: extent.ends,
          output: options.output,
          hash: logRange === null ? 'of the files' : 'always',
          evaluation,
          afterwards: stateDir === null ? 'drop' : 'keep',
          watch: models.hosts === undefined ? (options.watch ?? null) : watch,
        })
      },
      items(skip) {
        admittedBefore = skip
        const items = itemsOf(options, topology, stretches, skip)
        return extent!.ends === null ? items : nothingMore(items)
      },
      async afterGroup({ admitted, atMs }) {
        await reader!.read()
        const itemsPerSecond = ((admitted - admittedBefore) / (performance.now() - startedMs)) * 1_000
        options.onProgress?.({ items: admitted, atMs, itemsPerSecond })
      },
    })
    await reader!.read()
    const outputSha256 = reader!.close()
    const { counts } = tasks[0]!
    await extent!.close(counts)
    const elapsedMs = performance.now() - startedMs
    const skippedWarmUpMs = skippedOf(options)
    const summary: ReplaySummary = {
      flow: await flowOf(scenario, extent!, counts, reader!.scores),
      evaluation: measure(evaluation, options, skippedWarmUpMs),
      models: modelEvaluation?.measure(windowOf(options, skippedWarmUpMs)) ?? null,
      silentModels: await models.silent(scoredBy),
      skippedWarmUpMs,
      outputSha256,
      elapsedMs,
      paymentsPerSecond: (reader!.scores / elapsedMs) * 1_000,
      peakRssBytes: process.resourceUsage().maxRSS * 1_024,
    }
    report?.write(Buffer.from(renderReport(replayReport(options, summary))))
    return summary
  } finally {
    report?.close()
    await models.close()
    await log.close()
    await store?.close()
  }
}

function evaluationOf({ armNames, ruleSet, evaluation, words, decide }: Scenario): EvaluationCollector | null {
  if (evaluation === undefined) return null
  const rules = ruleSet.rules.map(({ name }) => name)
  return createEvaluation({ ...evaluation, words, startsAt: decide.startsAt, arms: [...armNames].reverse(), rules })
}

/** Throws USAGE for a scenario that brings no stream. */
function builtIn({ name, stream }: Scenario): BuiltInStream {
  if (stream !== undefined) return stream
  throw new RheoError('USAGE', `the scenario "${name}" generates no events`, {
    hint: 'Give --input FILE --map MAP.json, or --from and --to for what its log holds.',
  })
}

type Items = AsyncIterable<readonly Admission[]> | Iterable<readonly Admission[]>

function itemsOf(
  { scenario, inputs, stream, logRange, untilMs }: ReplayOptions,
  topology: Topology,
  stretches: Awaited<ReturnType<typeof findStretches>>,
  skip: number,
): Items {
  if (logRange !== undefined) return logAdmissions(logRange, stretches)
  if (inputs.length > 0) return fileAdmissions(scenario, topology, inputs, skip, untilMs)
  return builtIn(scenario).admissions(topology, stream, skip, untilMs)
}

/** What an input that others followed still brings: nothing, or its outputs would be mixed with theirs. */
async function* nothingMore(items: Items): AsyncGenerator<readonly Admission[]> {
  for await (const batch of items) {
    if (batch.length > 0) {
      throw new RheoError('USAGE', 'this input has grown since it was replayed, and another one was replayed since', {
        hint: 'Put what is new into a file of its own.',
      })
    }
    yield batch
  }
}

async function flowOf(
  scenario: Scenario,
  extent: Extent,
  counts: Counts,
  scored: number,
): Promise<ReplaySummary['flow']> {
  const payments = scenario.event.topic.name
  const deadLetters = await extent.size(dlqTopic(payments))
  const late = await extent.size(lateTopic(payments))
  const { rejected, deleted, duplicates } = extent.counted(counts)
  // Rows that became no record of the topic are dead letters all the same.
  const input = (await extent.size(payments)) + deadLetters - rejected
  const balanced = input === scored + deadLetters + late + duplicates + deleted
  const labels = await extent.size(scenario.label.topic.name)
  return { input, scored, deadLetters, late, duplicates, deleted, labels, balanced }
}

function skippedOf({ scenario, inputs, stream, logRange, evaluateFromMs }: ReplayOptions): number | null {
  if (inputs.length > 0 || logRange !== undefined || evaluateFromMs !== null) return null
  return warmUpMs(scenario, stream) || null
}

function windowOf(options: ReplayOptions, skippedWarmUpMs: number | null): { fromMs?: number; untilMs?: number } {
  const { stream } = options.scenario
  const skipsHead = skippedWarmUpMs !== null && stream !== undefined
  const fromMs = skipsHead ? stream.startMs + skippedWarmUpMs : options.evaluateFromMs
  return {
    ...(fromMs === null ? {} : { fromMs }),
    ...(options.evaluateUntilMs === null ? {} : { untilMs: options.evaluateUntilMs }),
  }
}

function measure(
  evaluation: EvaluationCollector | null,
  options: ReplayOptions,
  skippedWarmUpMs: number | null,
): Evaluation | null {
  if (evaluation === null) return null
  try {
    return evaluation.measure(windowOf(options, skippedWarmUpMs))
  } catch (cause) {
    if (cause instanceof RangeError) return null
    throw cause
  }
}

/** The same input gives the same id: files by name and map, the generated stream by its options. */
function inputId(options: ReplayOptions): string {
  if (options.inputs.length === 0 && options.logRange === undefined && options.stream.payments < 1) {
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
