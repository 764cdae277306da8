import type { DenseRule } from '../gpu/online-dense.ts'
import type { Provider } from '../gpu/onnx-runtime.ts'
import type { ModelRecord } from '../processors/inference.ts'
import { RheoError } from '../schemas/errors.ts'
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

/** A model that scored nothing, and why. */
export type SilentModel =
  | { readonly name: string; readonly kind: 'scores later'; readonly fromMs: number; readonly isGiven: boolean }
  | { readonly name: string; readonly kind: 'too few examples'; readonly had: number; readonly needed: number }

export interface ReplayModels {
  /** undefined: no model, and no part of the topology for any. */
  readonly hosts: ModelHosts | undefined
  /** Adds the given models to the log, once the topics exist. Those that the log has already stay as they are. */
  register(): Promise<void>
  /** Learns from the examples that the topology puts out, when it is told to go on; null: nothing is trained. */
  readonly learner: DenseLearner | null
  /** Those that no score names, but for what `onFailure` was told about. @param scored the names of those that scored */
  silent(scored: ReadonlySet<string>): Promise<readonly SilentModel[]>
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

/**
 * The models of a replay: those given, and those that the log of a former one knows. Throws USAGE for one given twice, and what
 * `readGivenModel` throws.
 */
export async function openReplayModels(options: Opening): Promise<ReplayModels> {
  const { scenario, log, given, dense, provider } = options
  const isKnown = (await log.topics()).has(modelTopic(scenario.name).name)
  if (given.length === 0 && dense === null && !isKnown) {
    const nothing = async (): Promise<void> => undefined
    return { hosts: undefined, learner: null, register: nothing, silent: async () => [], close: nothing }
  }
  const models: NewModel[] = []
  for (const { file, fromMs } of given) {
    const model = await readGivenModel({ file, scenario, as: null, fromMs })
    const { name, version } = model.record
    if (models.some(({ record }) => record.name === name && record.version === version)) {
      throw new RheoError('USAGE', `${file} is ${name} ${version}, which another --model is already`, {
        hint: 'Give each model once; two models need two names or versions in their manifests.',
      })
    }
    models.push(model)
  }
  const read = createFileReader(log, scenario.name)
  const swaps = 'at its record'
  const failed = new Set<string>()
  const onFailure: ReplayModelOptions['onFailure'] = (error, model) => {
    failed.add(model.name)
    options.onFailure(error, model)
  }
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
    async silent(scored) {
      const known = inForce(await readModelRecords(log, scenario.name))
      const silent: SilentModel[] = known
        .filter(({ name }) => !scored.has(name) && !failed.has(name))
        .map(({ name, eventTime }) => {
          const isGiven = models.some(({ record }) => record.name === name)
          return { name, kind: 'scores later', fromMs: eventTime, isGiven }
        })
      if (dense === null || learner === null || known.some(({ name }) => name === dense.name)) return silent
      const needed = dense.batch * dense.publishEvery
      return [...silent, { name: dense.name, kind: 'too few examples', had: learner.had, needed }]
    },
    async close() {
      await learner?.close()
      await hosts.close()
    },
  }
}
