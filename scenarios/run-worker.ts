import type { RheoError } from '../schemas/errors.ts'
import { withChangelog } from '../streams/changelog.ts'
import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { Membership } from '../streams/membership.ts'
import { type LivePass, runLive } from '../streams/run-live.ts'
import type { StateStore } from '../streams/state/state-store.ts'
import type { Topology } from '../streams/topology.ts'
import type { ModelHosts, Scenario } from './define-scenario.ts'
import { withExamples } from './dense-examples.ts'

export interface WorkerOptions {
  readonly scenario: Scenario
  readonly log: EventLog
  readonly store: StateStore
  /** null: the ids that the scenario brings. */
  readonly registry: SchemaRegistry | null
  readonly models: ModelHosts
  /** 'put out': for a dense model, by the process that runs task 0 (`withExamples`). Default: they are not. */
  readonly examples?: 'put out' | 'not put out'
  /** 'elsewhere': on a server that may lose it, so that every flush is written down in the log, too. */
  readonly stateIs: 'beside the log' | 'elsewhere'
  /** Of topics that do not exist yet. */
  readonly newPartitions: number
  /** Must the topics have so many? null: as many as they have. */
  readonly partitions: number | null
  /** How the tasks are shared with other processes; null: this one runs all of them. */
  readonly membership: (topology: Topology) => Promise<Membership | null>
  readonly batchRecords: number
  /** Its abort ends the run: what was read is committed and flushed. */
  readonly signal: AbortSignal
  /** After the abort, the longest that a process without others goes on folding what is there. */
  readonly drainMs: number
  onTopology(topology: Topology): void
  onStart(tasks: LivePass['tasks']): void
  onPass(pass: LivePass): void
  onRetry(error: RheoError, attempt: number): void
}

/**
 * Runs a scenario on whatever log, state store and registry it is given until `signal` aborts: as the only process, or as
 * one of several that share its tasks. With others there is nothing to drain: they go on where this one leaves.
 *
 * Throws TOPIC_MISMATCH where topics have other partitions than `partitions`, and what `runLive` throws.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { scenario, log, store, registry, models, signal, batchRecords } = options
  const present = (await log.topics()).get(scenario.event.topic.name)
  const partitions = options.partitions ?? present?.partitions ?? options.newPartitions
  const declared = scenario.topology(partitions, undefined, registry ?? undefined, models)
  const whole = options.examples === 'put out' ? withExamples(declared) : declared
  const topology = options.stateIs === 'elsewhere' ? withChangelog(whole) : whole
  await log.ensureTopics(topology.topics)
  options.onTopology(topology)
  const membership = await options.membership(topology)
  await runLive({
    topology,
    log,
    store,
    ...(membership === null ? {} : { membership }),
    // Every commit on a networked log is a round trip of its own, and shared work leaves none behind.
    commitPer: membership === null ? 'pass' : 'round',
    drainMs: membership === null ? options.drainMs : 0,
    signal,
    clock: Date.now,
    batchRecords,
    onStart: options.onStart,
    onPass: options.onPass,
    onRetry: options.onRetry,
  })
}
