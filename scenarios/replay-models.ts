import type { DenseRule } from '../gpu/online-dense.ts'
import type { Provider } from '../gpu/onnx-runtime.ts'
import type { ModelRecord } from '../processors/inference.ts'
import type { RheoError } from '../schemas/errors.ts'
import { modelTopic } from '../schemas/topics.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { ModelHosts, Scenario } from './define-scenario.ts'
import { createDenseLearner, type DenseLearner } from './dense-learner.ts'
import { readGivenModel } from './given-model.ts'
import { createFileReader } from './model-files.ts'
import { createOnnxHosts } from './model-hosts.ts'
import { addModel, inForce, type NewModel, readModelRecords } from './model-records.ts'

/** A model that a replay is to score with. */
export interface ReplayModel {
  readonly file: string
  /** Event time from which on it scores; null: where its training data ends. */
  readonly fromMs: number | null
}

export interface ReplayModels {
  /** undefined: no model, and no part of the topology for any. */
  readonly hosts: ModelHosts | undefined
  /** Adds the given models to the log, once the topics exist. Those that the log has already stay as they are. */
  register(): Promise<void>
  /** Learns from the examples that the topology puts out, when it is told to go on; null: nothing is trained. */
  readonly learner: DenseLearner | null
  close(): Promise<void>
}

export interface ReplayModelOptions {
  readonly given: readonly ReplayModel[]
  /** Trains a dense model during the replay, and lets it score; null: none. */
  readonly dense: DenseRule | null
  readonly provider: Provider | 'auto'
  /** See `OnnxHostsOptions`. */
  onFailure(error: RheoError, model: Pick<ModelRecord, 'name' | 'version'>): void
}

interface Opening extends ReplayModelOptions {
  readonly scenario: Scenario
  readonly log: EventLog
}

/** The models of a replay: those given, and those that the log of a former one knows. */
export async function openReplayModels(options: Opening): Promise<ReplayModels> {
  const { scenario, log, given, dense, provider, onFailure } = options
  const isKnown = (await log.topics()).has(modelTopic(scenario.name).name)
  if (given.length === 0 && dense === null && !isKnown) {
    return { hosts: undefined, learner: null, register: async () => undefined, close: async () => undefined }
  }
  const models: NewModel[] = []
  for (const { file, fromMs } of given) models.push(await readGivenModel({ file, scenario, as: null, fromMs }))
  const read = createFileReader(log, scenario.name)
  const swaps = 'at its record'
  const hosts = createOnnxHosts({ featureNames: scenario.featureSet.names, read, provider, swaps, onFailure })
  const learner = dense === null ? null : await createDenseLearner({ scenario, log, rule: dense })
  return {
    hosts,
    learner,
    async register() {
      const known = inForce(await readModelRecords(log, scenario.name))
      for (const model of models) {
        const { name, sha256, eventTime } = model.record
        const isThere = known.some((record) => record.name === name && record.sha256 === sha256)
        if (!isThere) await addModel(log, scenario.name, model, eventTime)
      }
    },
    async close() {
      await learner?.close()
      await hosts.close()
    },
  }
}
