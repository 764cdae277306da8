import { createOnlineDense, type DenseRule, type PublishedModel } from '../gpu/online-dense.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { Scenario } from './define-scenario.ts'
import { fileAppends } from './model-files.ts'
import { readModelRecords, recordAppends } from './model-records.ts'
import type { OutputWatch } from './replay-output.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Trains a dense model from what a scenario puts out: a score with its features, then its outcome. Each version it publishes
 * is a file and a model record like any other, so the scenario swaps it in, in shadow, and blends it by its worth.
 */
export interface DenseLearner extends OutputWatch {
  /** Learns from what was put out by then, processing time, and publishes the versions that are due. */
  advance(untilMs: number): Promise<void>
  close(): Promise<void>
}

export interface DenseLearnerOptions {
  readonly scenario: Scenario
  readonly log: EventLog
  readonly rule: DenseRule
  /** Whose ids the log's events have. Default: those of this version. */
  readonly registry?: SchemaRegistry
}

/**
 * On one log one learner publishes: the last to be created. An earlier one's next version fails with FENCED, changing
 * nothing, so a version comes once, whoever trained it.
 */
export async function createDenseLearner(options: DenseLearnerOptions): Promise<DenseLearner> {
  const { scenario, log, rule, registry = createLocalRegistry() } = options
  const { names } = scenario.featureSet
  const writer = await log.acquire(`rheo-${scenario.name}-dense`, rule.name)
  // What stands there by now, a former learner published from the same examples.
  const records = await readModelRecords(log, scenario.name, registry)
  const published = new Set(records.filter(({ name }) => name === rule.name).map(({ version }) => version))
  const dense = await createOnlineDense(names, scenario.model.categorical ?? [], rule)
  /** Features wait for their label: about 700 bytes each for 123. */
  const waiting = new Map<string, Float32Array>()
  let examples: { readonly putOutMs: number; readonly learn: () => void }[] = []
  const idOf = (event: object): string => String((event as Fields)[scenario.event.id])

  async function publish({ bytes, manifest }: PublishedModel): Promise<void> {
    const { name, version, sha256, trainingRange } = manifest
    if (published.has(version)) return
    const eventTime = Date.parse(trainingRange.to)
    const record = { name, version, sha256, action: 'serve', eventTime, manifest: JSON.stringify(manifest) } as const
    const file = fileAppends(scenario.name, sha256, bytes, eventTime)
    const appends = [file, await recordAppends(log, scenario.name, record, eventTime, registry)]
    await writer.commit({ appends, positions: [] })
    published.add(version)
  }

  return {
    score(event) {
      const { features } = event as { readonly features: Readonly<Record<string, number>> }
      waiting.set(
        idOf(event),
        Float32Array.from(names, (name) => features[name] ?? Number.NaN),
      )
    },
    outcome(event, putOutMs) {
      const id = idOf(event)
      const features = waiting.get(id)
      if (features === undefined) return
      waiting.delete(id)
      const { eventTime, labelTime } = event as { readonly eventTime: number; readonly labelTime: number }
      const label = (event as Fields)[scenario.label.truth] === true ? 1 : 0
      examples.push({ putOutMs, learn: () => dense.take(features, label, eventTime, labelTime) })
    },
    async advance(untilMs) {
      const later = examples.findIndex(({ putOutMs }) => putOutMs > untilMs)
      const due = later < 0 ? examples : examples.slice(0, later)
      examples = later < 0 ? [] : examples.slice(later)
      for (const { learn } of due) learn()
      for (const model of await dense.advance()) await publish(model)
    },
    close: () => dense.close(),
  }
}
