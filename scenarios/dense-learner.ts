import { createOnlineDense, type DenseExample, type DenseRule, type PublishedModel } from '../gpu/online-dense.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { Appends, EventLog } from '../streams/event-log/event-log.ts'
import { eventOf } from '../streams/event-value.ts'
import type { Scenario } from './define-scenario.ts'
import { checkpointAppends, checkpointTopic, readCheckpoint } from './dense-checkpoint.ts'
import { denseExampleCodec, examplesTopic } from './dense-examples.ts'
import { fileAppends } from './model-files.ts'
import { readModelRecords, recordAppends } from './model-records.ts'

/** So much is read at once that a pass is not held up by more than some tens of milliseconds. */
const LIMITS = { maxRecords: 1_024, maxBytes: 8 * 1_048_576 }
/** Examples, in about so many seconds of a thousand payments per second: who takes over learns no more than these again. */
const CHECKPOINT_EVERY = 65_536

/**
 * Trains a dense model from the examples that a topology puts out (`withExamples`). Each version it publishes is a file and a
 * model record like any other, so the scenario swaps it in, in shadow, and blends it by its worth.
 */
export interface DenseLearner {
  /**
   * Reads on, a bounded part, of what was put out up to `untilMs`, processing time; learns, and publishes the versions that
   * are due. Returns how many examples it took. Throws FENCED where a later learner has begun, and what the log throws.
   */
  advance(untilMs: number): Promise<number>
  /** Examples that it has had, those included that wait for a whole batch. */
  readonly had: number
  close(): Promise<void>
}

export interface DenseLearnerOptions {
  readonly scenario: Scenario
  readonly log: EventLog
  readonly rule: DenseRule
  /** Whose ids the log's events have. Default: those of this version. */
  readonly registry?: SchemaRegistry
}

interface Waiting extends DenseExample {
  readonly offset: bigint
}

/**
 * On one log one learner publishes: the last to be created. An earlier one's next version fails with FENCED, changing nothing.
 * It begins at the last checkpoint, which stands in the log together with the version published then, and gives the versions
 * that a single learner would have given. A model that has to begin anew (its features are others now) publishes nothing until
 * it has learnt from more examples than the last version had.
 */
export async function createDenseLearner(options: DenseLearnerOptions): Promise<DenseLearner> {
  const { scenario, log, rule, registry = createLocalRegistry() } = options
  const { names } = scenario.featureSet
  const [examples, checkpoints] = [examplesTopic(scenario.name), checkpointTopic(scenario.name)]
  await log.ensureTopics([examples, checkpoints])
  const writer = await log.acquire(`rheo-${scenario.name}-dense`, rule.name)
  const saved = await readCheckpoint(log, scenario.name, rule.name)
  const dense = await createOnlineDense(names, scenario.model.categorical ?? [], rule, saved?.state)
  const versions = (await readModelRecords(log, scenario.name, registry)).filter(({ name }) => name === rule.name)
  const published = Math.max(0, ...versions.map(({ version }) => Number(version)).filter(Number.isFinite))
  const { start } = await log.bounds(examples.name, 0)
  let next = saved === null || saved.next < start ? start : saved.next
  let savedAt = dense.learnt
  /** Less than a batch. */
  const waiting: Waiting[] = []

  async function publish({ bytes, manifest }: PublishedModel, timestampMs: number): Promise<Appends[]> {
    const { name, version, sha256, trainingRange } = manifest
    if (dense.learnt <= published) return []
    const eventTime = Date.parse(trainingRange.to)
    const record = { name, version, sha256, action: 'serve', eventTime, manifest: JSON.stringify(manifest) } as const
    const file = fileAppends(scenario.name, sha256, bytes, timestampMs)
    return [file, await recordAppends(log, scenario.name, record, timestampMs, registry)]
  }

  /** Writes down what was learnt up to this example, and then drops what nobody needs any more. */
  async function save(model: PublishedModel | null, { offset, labelMs }: Waiting): Promise<void> {
    const { end } = await log.bounds(checkpoints.name, 0)
    const checkpoint = { state: await dense.state(), next: offset + 1n }
    const appends = [checkpointAppends(scenario.name, rule.name, checkpoint, labelMs)]
    if (model !== null) appends.push(...(await publish(model, labelMs)))
    await writer.commit({ appends, positions: [] })
    savedAt = dense.learnt
    await log.truncate(checkpoints.name, 0, end)
    await log.truncate(examples.name, 0, checkpoint.next)
  }

  return {
    get had() {
      return dense.learnt + waiting.length
    },
    async advance(untilMs) {
      const fetched = await log.fetch(examples.name, 0, next, LIMITS)
      const later = fetched.records.findIndex(({ timestampMs }) => timestampMs > untilMs)
      const due = later < 0 ? fetched.records : fetched.records.slice(0, later)
      next = later < 0 ? fetched.next : fetched.records[later]!.offset
      for (const { value, offset } of due) {
        const example = eventOf(value, denseExampleCodec)
        // Of a former declaration.
        if (example.features.length !== names.length) continue
        waiting.push({ ...example, offset })
        if (waiting.length < rule.batch) continue
        const batch = waiting.splice(0)
        const model = await dense.learn(batch)
        if (model !== null || dense.learnt - savedAt >= CHECKPOINT_EVERY) await save(model, batch.at(-1)!)
      }
      return due.length
    },
    close: () => dense.close(),
  }
}
