import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import { eventOf } from '../streams/event-value.ts'
import type { Output } from '../streams/topology.ts'
import type { Scenario } from './define-scenario.ts'
import { openFeatureTable, type TableCounts } from './feature-table.ts'
import { type ReplayOptions, replayScenario } from './replay-scenario.ts'

const FETCH = { maxRecords: 2_000, maxBytes: 16 * 1_048_576 }

export interface ReplayExport
  extends Pick<ReplayOptions, 'scenario' | 'inputs' | 'sliceMs' | 'untilMs' | 'batchRecords'> {
  readonly file: string
  readonly sinceMs: number | null
  readonly onProgress?: NonNullable<ReplayOptions['onProgress']>
}

/**
 * Replays files in memory and writes the features that were served, with their labels. Nothing from `untilMs` on is
 * admitted, labels included: a label that was not known by then is not in the table.
 */
export async function exportFromReplay(options: ReplayExport): Promise<TableCounts> {
  const { file, scenario, sinceMs, ...replay } = options
  const table = openFeatureTable({ file, scenario, sinceMs })
  await replayScenario({
    ...replay,
    scenario,
    stream: { payments: 0, days: 1, seed: 1, world: 'drift', labelDelayMs: 0 },
    stateDir: null,
    output: null,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    watch: table,
  })
  return table.close()
}

export interface LogExport {
  readonly log: EventLog
  readonly scenario: Scenario
  readonly file: string
  readonly sinceMs: number | null
  /** Scores and labels from this event time on are left out. */
  readonly untilMs: number | null
  /** Whose ids the log's events have. Default: those that the scenario brings. */
  readonly registry?: SchemaRegistry
}

/**
 * Writes the features of the scores that a log holds, with the labels that their outcomes name, partition after partition.
 * Both topics are read side by side, by event time, so that memory holds what waits for its label and not the log.
 */
export async function exportFromLog({
  log,
  scenario,
  file,
  sinceMs,
  untilMs,
  registry,
}: LogExport): Promise<TableCounts> {
  const table = openFeatureTable({ file, scenario, sinceMs })
  const [scoreOutput, outcomeOutput] = scenario.topology(1, undefined, registry).outputs
  const partitions = (await log.topics()).get(scoreOutput!.topic)?.partitions ?? 0
  const known = (timeMs: number): boolean => untilMs === null || timeMs < untilMs
  for (let partition = 0; partition < partitions; partition++) {
    const outcomes = events<{ readonly labelTime: number }>(log, outcomeOutput!, partition)
    let outcome = await outcomes.next()
    const takeOutcomes = async (beforeMs: number): Promise<void> => {
      while (outcome.done !== true && outcome.value.labelTime < beforeMs) {
        if (known(outcome.value.labelTime)) table.outcome(outcome.value)
        outcome = await outcomes.next()
      }
    }
    for await (const score of events<{ readonly eventTime: number }>(log, scoreOutput!, partition)) {
      await takeOutcomes(score.eventTime)
      if (known(score.eventTime)) table.score(score)
    }
    await takeOutcomes(Number.POSITIVE_INFINITY)
  }
  return table.close()
}

async function* events<E extends object>(log: EventLog, output: Output, partition: number): AsyncGenerator<E> {
  const { start, end } = await log.bounds(output.topic, partition)
  for (let next = start; next < end; ) {
    const fetched = await log.fetch(output.topic, partition, next, FETCH)
    for (const { value } of fetched.records) {
      if (value instanceof Uint8Array) await output.codec.prepare(value)
      yield eventOf(value, output.codec) as E
    }
    if (fetched.next === next) return
    next = fetched.next
  }
}
