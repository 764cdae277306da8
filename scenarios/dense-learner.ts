import { createOnlineDense, type DenseRule, type PublishedModel } from '../gpu/online-dense.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { Scenario } from './define-scenario.ts'
import type { ModelFiles } from './model-files.ts'
import { appendModelRecord, readModelRecords } from './model-records.ts'
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
  readonly files: ModelFiles
  readonly rule: DenseRule
}

export async function createDenseLearner({ scenario, log, files, rule }: DenseLearnerOptions): Promise<DenseLearner> {
  const { names } = scenario.featureSet
  const dense = await createOnlineDense(names, scenario.model.categorical ?? [], rule)
  /** Features wait for their label: about 1 KB each for 123. */
  const waiting = new Map<string, Float64Array>()
  let examples: { readonly putOutMs: number; readonly learn: () => void }[] = []
  const idOf = (event: object): string => String((event as Fields)[scenario.event.id])

  /** A version that the log knows already was published by a former run over the same examples. */
  async function publish({ bytes, manifest }: PublishedModel): Promise<void> {
    const { name, version, sha256, trainingRange } = manifest
    const known = await readModelRecords(log, scenario.name)
    if (known.some((record) => record.name === name && record.version === version && record.sha256 === sha256)) return
    const eventTime = Date.parse(trainingRange.to)
    const record = { name, version, sha256, action: 'serve', eventTime, manifest: JSON.stringify(manifest) } as const
    files.put({ bytes, record })
    await appendModelRecord(log, scenario.name, record, eventTime)
  }

  return {
    score(event) {
      const { features } = event as { readonly features: Readonly<Record<string, number>> }
      waiting.set(
        idOf(event),
        Float64Array.from(names, (name) => features[name] ?? Number.NaN),
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
