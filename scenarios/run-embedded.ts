import { join } from 'node:path'
import type { DenseRule } from '../gpu/online-dense.ts'
import { RheoError } from '../schemas/errors.ts'
import type { Score } from '../schemas/generated/fraud/score.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { openSqliteLog } from '../streams/event-log/sqlite.ts'
import { eventOf } from '../streams/event-value.ts'
import { type LivePass, runLive } from '../streams/run-live.ts'
import { openSqliteStateStore } from '../streams/state/sqlite.ts'
import type { Topology } from '../streams/topology.ts'
import type { LiveStreamOptions } from './built-in-stream.ts'
import { defineScenario, type Scenario } from './define-scenario.ts'
import { withExamples } from './dense-examples.ts'
import { createDenseLearner, type DenseLearner } from './dense-learner.ts'
import { evaluatedOutcome } from './evaluated-outcome.ts'
import { createFileReader } from './model-files.ts'
import { createOnnxHosts, type OnnxHostsOptions } from './model-hosts.ts'
import { makeFolder } from './output-file.ts'
import { type ArmRates, createRecentOutcomes } from './recent-outcomes.ts'

export interface EmbeddedOptions {
  readonly scenario: Scenario
  /** Folder of log and state; made where it is missing. */
  readonly directory: string
  /** null: only what others append. */
  readonly generator: (Omit<LiveStreamOptions, 'clock'> & { readonly freezeAfterMs: number }) | null
  readonly batchRecords: number
  /** Its abort drains and ends the run. */
  readonly signal: AbortSignal
  /** Processing time between two ticks. */
  readonly tickEveryMs: number
  onTick(tick: LiveTick): void
  onRetry(error: RheoError, attempt: number): void
  /** What models run on; default the CPU. */
  readonly provider?: OnnxHostsOptions['provider']
  onModelFailure?: OnnxHostsOptions['onFailure']
  readonly onModelChoice?: OnnxHostsOptions['onChoice']
  /** Trains a dense model on the way, and lets it score; default none. */
  readonly dense?: DenseRule | null
}

/** A score event, and the id of what it is about under one name. */
export type LiveScore = Pick<Score, 'eventTime' | 'score' | 'decision' | 'reasons' | 'threshold'> & {
  readonly id: string
}

/** What happened up to now. Counts are since this run began. */
export interface LiveTick {
  readonly elapsedMs: number
  readonly payments: number
  readonly labels: number
  readonly scores: number
  readonly deadLetters: number
  readonly late: number
  readonly duplicates: number
  /** Scores per second since the last tick; in the last tick, over the whole run. */
  readonly scoresPerSecond: number
  /** From the append of a payment to its readable score, of the last payments; null before the first. */
  readonly latencyMsP50: number | null
  readonly latencyMsP99: number | null
  /** The newest first. */
  readonly latest: readonly LiveScore[]
  /** What the policy has yet to see before it has a threshold, in words; null: it has one, or nothing was scored. */
  readonly waitsFor: string | null
  readonly outcomes: number
  readonly frauds: number
  /** How good each arm's decisions were on the outcomes that came last. */
  readonly arms: readonly ArmRates[]
}

const LATEST = 8n
const LATENCIES = 4_096
const FETCH = { maxRecords: 5_000, maxBytes: 16 * 1_048_576 }

/**
 * A scenario live in this process, on the embedded log in a folder. Payments come from the built-in generator, from
 * other processes that append to the same folder, or both. Returns the last tick.
 *
 * With the generator the frozen arm stops learning after `freezeAfterMs`, so that what learning is worth shows within
 * minutes. Throws FENCED when another process runs the scenario in this folder, and what the log and the store throw.
 */
export async function runEmbedded(options: EmbeddedOptions): Promise<LiveTick> {
  const { directory, generator, signal } = options
  const scenario = generator === null ? options.scenario : freezing(options.scenario, generator.freezeAfterMs)
  makeFolder(directory)
  const log = openSqliteLog(join(directory, 'log.sqlite'), { checkpoints: 'background' })
  const store = openSqliteStateStore(join(directory, 'state.sqlite'), { checkpoints: 'background' })
  const models = createOnnxHosts({
    featureNames: scenario.featureSet.names,
    read: createFileReader(log, scenario.name),
    provider: options.provider ?? 'cpu',
    swaps: 'once open',
    onFailure: options.onModelFailure ?? (() => undefined),
    ...(options.onModelChoice === undefined ? {} : { onChoice: options.onModelChoice }),
  })
  let dense: DenseLearner | null = null
  try {
    const partitions = (await log.topics()).get(scenario.event.topic.name)?.partitions ?? 1
    const rule = options.dense ?? null
    const declared = scenario.topology(partitions, undefined, undefined, models)
    const topology = rule === null ? declared : withExamples(declared)
    await log.ensureTopics(topology.topics)
    const live = await startStream(scenario, log, topology, generator)
    const view = await createView(log, topology, scenario)
    dense = rule === null ? null : await createDenseLearner({ scenario, log, rule })
    let tickedMs = performance.now()
    await runLive({
      topology,
      log,
      store,
      signal,
      clock: Date.now,
      batchRecords: options.batchRecords,
      onRetry: options.onRetry,
      onStart: view.start,
      async onPass(pass) {
        if (pass.folded > 0) await view.take(pass)
        await dense?.advance(Number.POSITIVE_INFINITY)
        if (performance.now() - tickedMs >= options.tickEveryMs) {
          tickedMs = performance.now()
          options.onTick(await view.tick('since the last tick'))
        }
        if (pass.phase === 'running' && live !== null) await live.feed()
      },
    })
    return await view.tick('whole run')
  } finally {
    await dense?.close()
    await models.close()
    await log.close()
    await store.close()
  }
}

/** Throws USAGE for a scenario that brings no stream. */
async function startStream(
  { name, stream }: Scenario,
  log: EventLog,
  topology: Topology,
  generator: EmbeddedOptions['generator'],
) {
  if (generator === null) return null
  if (stream !== undefined) return stream.startLive(log, topology, { ...generator, clock: Date.now })
  throw new RheoError('USAGE', `the scenario "${name}" generates no events`, {
    hint: 'Add --no-generator: what others append to its topics is scored.',
  })
}

function freezing(scenario: Scenario, freezeAfterMs: number): Scenario {
  const arms = scenario.arms.map((arm) =>
    arm.learnsFor === undefined ? arm : { ...arm, learnsFor: `${Math.round(freezeAfterMs)} ms` },
  )
  return defineScenario({ ...scenario, arms })
}

/** Watches the log for what a tick shows: nothing here changes it. */
async function createView(log: EventLog, topology: Topology, scenario: Scenario) {
  const [scoreOutput, outcomeOutput] = topology.outputs
  const [payments, labels] = topology.sources
  const group = `rheo-${topology.scenario}`
  const everyPartition = Array.from({ length: topology.partitions }, (_, partition) => partition)
  const ends = async (topic: string): Promise<bigint[]> =>
    Promise.all(everyPartition.map(async (partition) => (await log.bounds(topic, partition)).end))
  const folded = async (topic: string): Promise<bigint[]> =>
    Promise.all(everyPartition.map(async (partition) => (await log.committed(group, topic, partition)) ?? 0n))
  const since = (now: readonly bigint[], before: readonly bigint[]): number =>
    now.reduce((sum, next, p) => sum + Number(next - before[p]!), 0)

  const topics = { dead: [payments!.dlqTopic, labels!.dlqTopic], late: [payments!.lateTopic, labels!.lateTopic] }
  const sideEnds = async (names: readonly string[]): Promise<bigint[]> => (await Promise.all(names.map(ends))).flat()
  const start = {
    payments: await folded(payments!.topic),
    labels: await folded(labels!.topic),
    scores: await ends(scoreOutput!.topic),
    dead: await sideEnds(topics.dead),
    late: await sideEnds(topics.late),
  }
  const timed = [...start.payments]
  const outcomesRead = await ends(outcomeOutput!.topic)
  const recent = createRecentOutcomes(scenario.armNames)
  const latencies: number[] = []
  const startMs = performance.now()
  let lastTick = { atMs: startMs, scores: 0 }
  let duplicatesBefore: number | null = null
  let duplicates = 0

  /** A payment's pass has ended, so its score is readable: its latency is the age of its record. */
  const time = async (): Promise<void> => {
    const nowMs = Date.now()
    for (const partition of everyPartition) {
      const until = (await log.committed(group, payments!.topic, partition)) ?? 0n
      while (timed[partition]! < until) {
        const fetched = await log.fetch(payments!.topic, partition, timed[partition]!, FETCH)
        for (const { offset, timestampMs } of fetched.records) {
          if (offset < until) latencies.push(nowMs - timestampMs)
        }
        timed[partition] = fetched.next < until ? fetched.next : until
      }
    }
    if (latencies.length > 2 * LATENCIES) latencies.splice(0, latencies.length - LATENCIES)
  }

  const readOutcomes = async (): Promise<void> => {
    for (const partition of everyPartition) {
      for (let from = outcomesRead[partition]!; ; ) {
        const fetched = await log.fetch(outcomeOutput!.topic, partition, from, FETCH)
        for (const { value } of fetched.records) {
          recent.add(evaluatedOutcome(eventOf(value, outcomeOutput!.codec), scenario))
        }
        if (fetched.next === from) break
        outcomesRead[partition] = from = fetched.next
      }
    }
  }

  const latestScores = async (): Promise<LiveScore[]> => {
    const found: LiveScore[] = []
    for (const partition of everyPartition) {
      const { start: first, end } = await log.bounds(scoreOutput!.topic, partition)
      const from = end - LATEST > first ? end - LATEST : first
      const { records } = await log.fetch(scoreOutput!.topic, partition, from, FETCH)
      for (const { value } of records) {
        const score = eventOf(value, scoreOutput!.codec) as Score & Readonly<Record<string, unknown>>
        found.push({ ...score, id: String(score[scenario.event.id]) })
      }
    }
    return found.sort((a, b) => b.eventTime - a.eventTime).slice(0, Number(LATEST))
  }

  return {
    start(tasks: LivePass['tasks']): void {
      duplicatesBefore ??= duplicatesOf(tasks)
    },
    async take({ tasks }: LivePass): Promise<void> {
      await time()
      duplicates = duplicatesOf(tasks) - (duplicatesBefore ?? 0)
    },
    async tick(span: 'since the last tick' | 'whole run'): Promise<LiveTick> {
      await readOutcomes()
      const nowMs = performance.now()
      const scores = since(await ends(scoreOutput!.topic), start.scores)
      const from = span === 'whole run' ? { atMs: startMs, scores: 0 } : lastTick
      const scoresPerSecond = ((scores - from.scores) / (nowMs - from.atMs)) * 1_000
      lastTick = { atMs: nowMs, scores }
      const sorted = latencies.slice(-LATENCIES).sort((a, b) => a - b)
      const latest = await latestScores()
      const isOpen = latest[0]?.threshold === 1
      const at = (share: number): number | null => sorted[Math.floor(share * sorted.length)] ?? null
      return {
        elapsedMs: nowMs - startMs,
        payments: since(await folded(payments!.topic), start.payments),
        labels: since(await folded(labels!.topic), start.labels),
        scores,
        deadLetters: since(await sideEnds(topics.dead), start.dead),
        late: since(await sideEnds(topics.late), start.late),
        duplicates,
        scoresPerSecond,
        latencyMsP50: at(0.5),
        latencyMsP99: at(0.99),
        latest,
        waitsFor: isOpen ? (scenario.decide.startsAt ?? null) : null,
        ...recent.measure(),
      }
    },
  }
}

function duplicatesOf(tasks: LivePass['tasks']): number {
  return tasks.reduce((sum, { counts }) => sum + counts.duplicates, 0)
}
