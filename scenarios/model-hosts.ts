import { parseManifest } from '../gpu/manifest.ts'
import { createModelShelf, type ModelShelf } from '../gpu/model-shelf.ts'
import type { Provider } from '../gpu/onnx-runtime.ts'
import { openModel } from '../gpu/open-model.ts'
import { PROBABILITY } from '../gpu/probability-scorer.ts'
import { createChosenProviders, type OpenedOn } from '../gpu/provider-choice.ts'
import type { Scorer } from '../gpu/scorer.ts'
import { createSharedScorers } from '../gpu/shared-scorers.ts'
import type { Answer, ModelColumn, ModelRecord } from '../processors/inference.ts'
import { RheoError } from '../schemas/errors.ts'
import type { ModelHost } from '../streams/model-host.ts'
import type { ModelHosts } from './define-scenario.ts'

export interface OnnxHostsOptions {
  readonly featureNames: readonly string[]
  /** The bytes of a model file by its SHA-256. Throws MODEL_INVALID where there are none, and what the log throws. */
  readonly read: (sha256: string) => Promise<Uint8Array>
  readonly provider: Provider | 'auto'
  /**
   * When a version takes over: 'at its record', which waits until it is open, so that a replay gives the same again; 'once open',
   * where the one before it goes on scoring meanwhile and nothing waits, but for what a task asks first of all.
   */
  readonly swaps: 'at its record' | 'once open'
  /** A version could not be loaded, or gave wrong numbers: what is told to people. The scores carry `degraded`. */
  onFailure(error: RheoError, model: Pick<ModelRecord, 'name' | 'version'>): void
  /** A version was opened where there was a choice: on what, and what was measured. */
  onChoice?(choice: OpenedOn, model: Pick<ModelRecord, 'name' | 'version'>): void
}

/**
 * Runs ONNX models by their records. A task that is started again gets a host of its own, and the former one is closed. All
 * tasks score with the same scorers, so that a version is opened once.
 */
export function createOnnxHosts(options: OnnxHostsOptions): ModelHosts & { close(): Promise<void> } {
  const { featureNames, read } = options
  const shared = createSharedScorers()
  const chosen = createChosenProviders()
  const open: OpenRecord = ({ name, version, sha256, manifest }, provider) =>
    shared.open(JSON.stringify([sha256, manifest, provider]), async () =>
      openModel(await read(sha256), parseManifest(manifest), provider, featureNames, chosen, (choice) =>
        options.onChoice?.(choice, { name, version }),
      ),
    )
  const hosts = new Map<number, OnnxHost>()
  const closing: Promise<void>[] = []
  return {
    hostOf(task) {
      const former = hosts.get(task)
      if (former !== undefined) closing.push(former.close())
      const host = new OnnxHost(options, open)
      hosts.set(task, host)
      return host
    },
    async close() {
      await Promise.all([...closing, ...[...hosts.values()].map((host) => host.close())])
      hosts.clear()
    },
  }
}

type OpenRecord = (record: ModelRecord, provider: Provider | 'auto') => Promise<Scorer>

interface Shelved {
  readonly shelf: ModelShelf
  /** The records that were put on the shelf, or failed to be. */
  readonly tried: Set<ModelRecord>
  /** The version that is to score; null: none was opened yet. */
  wanted: string | null
  /** It could not be opened: another one answers, or none. */
  isUnopened: boolean
  /** The wanted version that `onFailure` was last told about: it is told once of each. */
  told: string | null
}

/** One task's models: a shelf of versions per name. */
class OnnxHost implements ModelHost {
  readonly #options: OnnxHostsOptions
  readonly #open: OpenRecord
  readonly #shelves = new Map<string, Shelved>()
  #scoring: readonly ModelRecord[] = []
  /** The opening of versions under way, one after the other. */
  #opening: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | null = null
  #hasAnswered = false

  constructor(options: OnnxHostsOptions, open: OpenRecord) {
    this.#options = options
    this.#open = open
  }

  get runsBeside(): boolean {
    return [...this.#shelves.values()].some(({ wanted, shelf }) => wanted !== null && shelf.runsBeside())
  }

  async answer(scoring: readonly ModelRecord[], rows: readonly Float64Array[]): Promise<Answer> {
    if (scoring !== this.#scoring) {
      this.#scoring = scoring
      await this.#withdraw(scoring)
      this.#opening = this.#opening
        .then(() => this.#serve(scoring))
        .catch((error: unknown) => {
          this.#failure = { error }
        })
    }
    if (!this.#hasAnswered || this.#options.swaps === 'at its record') await this.#opening
    if (this.#failure !== null) throw this.#failure.error
    this.#hasAnswered = true
    const width = this.#options.featureNames.length
    const features = new Float32Array(rows.length * width)
    rows.forEach((row, i) => {
      features.set(row, i * width)
    })
    const models: ModelColumn[] = []
    let degraded = false
    for (const [name, shelved] of this.#shelves) {
      if (shelved.wanted === null) continue
      try {
        const scores = await shelved.shelf.score(features, rows.length)
        const { version } = scores.model
        if (scores.degraded !== null) this.#tell(shelved, scores.degraded, name)
        if (scores.degraded !== null || shelved.isUnopened) degraded = true
        models.push({ name, version, probabilities: scores.outputs.get(PROBABILITY)! })
      } catch (error) {
        if (!isOfModel(error)) throw error
        this.#tell(shelved, error, name)
        degraded = true
      }
    }
    return { models, degraded }
  }

  async close(): Promise<void> {
    await this.#opening
    const all = [...this.#shelves.values()]
    this.#shelves.clear()
    for (const { shelf } of all) await shelf.close()
  }

  /** Lets go of models that score no more. */
  async #withdraw(scoring: readonly ModelRecord[]): Promise<void> {
    const names = new Set(scoring.map(({ name }) => name))
    for (const [name, { shelf }] of this.#shelves) {
      if (names.has(name)) continue
      this.#shelves.delete(name)
      await shelf.close()
    }
  }

  /** Opens what is new and is still to score. */
  async #serve(scoring: readonly ModelRecord[]): Promise<void> {
    const names = new Set(this.#scoring.map(({ name }) => name))
    for (const record of scoring.filter(({ name }) => names.has(name))) {
      const shelved = this.#shelves.get(record.name) ?? this.#newShelf()
      this.#shelves.set(record.name, shelved)
      if (shelved.tried.has(record)) continue
      shelved.tried.add(record)
      let failure: RheoError | null = null
      try {
        await shelved.shelf.swapTo(record.version)
      } catch (error) {
        // What is wrong with the log is for the run loop: it tries again.
        if (!isOfModel(error)) throw error
        failure = error
      }
      shelved.wanted = record.version
      shelved.isUnopened = failure !== null
      // It was withdrawn meanwhile.
      if (this.#shelves.get(record.name) !== shelved) await shelved.shelf.close()
      else if (failure !== null) this.#tell(shelved, failure, record.name)
    }
  }

  #newShelf(): Shelved {
    const tried = new Set<ModelRecord>()
    const open = (version: string, provider: Provider | 'auto') =>
      this.#open([...tried].findLast((one) => one.version === version)!, provider)
    const shelf = createModelShelf({
      load: (version) => open(version, this.#options.provider),
      ...(this.#options.provider === 'cpu' ? {} : { loadElsewhere: (version) => open(version, 'cpu') }),
    })
    return { shelf, tried, wanted: null, isUnopened: false, told: null }
  }

  #tell(shelved: Shelved, error: RheoError, name: string): void {
    const { wanted } = shelved
    if (wanted === null || shelved.told === wanted) return
    shelved.told = wanted
    this.#options.onFailure(error, { name, version: wanted })
  }
}

function isOfModel(error: unknown): error is RheoError {
  return error instanceof RheoError && (error.code === 'MODEL_INVALID' || error.code === 'PROVIDER_UNAVAILABLE')
}
