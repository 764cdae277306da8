import { createHash } from 'node:crypto'
import type { Manifest } from './manifest.ts'
import { float32 } from './onnx-runtime.ts'
import { createTrainer } from './onnx-trainer.ts'
import { compile } from './train/compile.ts'
import { deepFm } from './train/deep-fm.ts'
import { MISSING } from './train/field-rows.ts'
import { encodeOnnx, OPSET } from './train/onnx-encoder.ts'
import { asInitializer, seededRandom } from './train/parameters.ts'

/** The declared rule of an online dense model: with the same examples in the same order it gives the same versions. */
export interface DenseRule {
  readonly name: string
  /** Of the first weights. */
  readonly seed: number
  /** Examples of one training step, in the order in which their labels became known; a rest waits. */
  readonly batch: number
  /** Steps from one published version to the next, */
  readonly publishEvery: number
  /** or more, until so much time has passed between their last labels, ms: each version's file stays in the log. */
  readonly publishEveryMs: number
}

/** For a hundred features or so; not tuned to any data. */
export const DENSE_RULE: DenseRule = { name: 'dense', seed: 1, batch: 64, publishEvery: 32, publishEveryMs: 3_600_000 }

/** Buckets: a few hundred merchant categories and countries share few of them. */
const SETTINGS = { buckets: 509, factors: 8, hidden: [64, 32], rate: 0.001, positiveWeight: 1, clipNorm: 1 }

export interface DenseExample {
  /** [features], in the order of their names; NaN = missing. Learnt as float32. */
  readonly features: ArrayLike<number>
  readonly label: 0 | 1
  /** Event time of what was scored, ms, */
  readonly eventMs: number
  /** and of its label. */
  readonly labelMs: number
}

export interface PublishedModel {
  readonly bytes: Uint8Array
  readonly manifest: Manifest
}

/** All that training goes on from. */
export interface DenseState {
  /** The features, numbers first, then so many categories. */
  readonly columns: readonly string[]
  readonly categories: number
  /** Examples. */
  readonly learnt: number
  /** The earliest event time learnt from, ms. */
  readonly firstMs: number
  /** The last label of the last published version, event time in ms; -Infinity: there is none. */
  readonly publishedMs: number
  /** Weights and moments of the optimiser, by name. */
  readonly tensors: ReadonlyMap<string, Float32Array>
}

const BEGINNING = { learnt: 0, firstMs: Number.POSITIVE_INFINITY, publishedMs: Number.NEGATIVE_INFINITY }

/** A dense model that learns step by step from labelled examples, on the CPU, and publishes itself like any other model. */
export interface OnlineDense {
  /** Examples learnt from. */
  readonly learnt: number
  /** One step on as many examples as the rule's batch has; the version that is due then, or null. */
  learn(examples: readonly DenseExample[]): Promise<PublishedModel | null>
  /** A copy of the present state. */
  state(): Promise<DenseState>
  close(): Promise<void>
}

/**
 * @param categories features whose numbers are codes of names, not negative: they get hashed embeddings
 * @param from goes on from there to the same bytes; not where that was of other features or of another network
 */
export async function createOnlineDense(
  featureNames: readonly string[],
  categories: readonly string[],
  rule: DenseRule,
  from: DenseState | null = null,
): Promise<OnlineDense> {
  const width = featureNames.length
  const isCategory = new Set(categories)
  const numbers = featureNames.filter((name) => !isCategory.has(name))
  const inOrder = [...numbers, ...featureNames.filter((name) => isCategory.has(name))]
  const columns = inOrder.map((name) => featureNames.indexOf(name))
  const settings = { ...SETTINGS, numbers: numbers.length, categories: width - numbers.length }
  const { step, parameters, probability } = deepFm(settings, seededRandom(rule.seed))
  const trainer = await createTrainer(step, { provider: 'cpu' })
  const isOfThisNetwork = ({ tensors, ...state }: DenseState): boolean =>
    state.categories === settings.categories &&
    isSame(state.columns, inOrder) &&
    tensors.size === step.state.length &&
    step.state.every(({ name, initial }) => tensors.get(name)?.length === initial.length)
  const known = from !== null && isOfThisNetwork(from) ? from : null
  let { learnt, firstMs, publishedMs } = known ?? BEGINNING
  if (known !== null) trainer.restore(known.tensors)

  async function publish(labelMs: number): Promise<PublishedModel> {
    const state = await trainer.state()
    const weights = parameters.map((parameter) => asInitializer(parameter, state.get(parameter.name)!))
    const bytes = encodeOnnx(compile(rule.name, { probability }, weights))
    const manifest: Manifest = {
      name: rule.name,
      version: String(learnt),
      input: { name: 'x', dtype: 'float32', features: inOrder },
      missing: { rule: 'constant', value: MISSING },
      outputs: [{ name: 'probability', width: 1 }],
      opset: OPSET,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      trainingRange: { from: iso(firstMs), to: iso(labelMs) },
      licence: 'Apache-2.0',
    }
    return { bytes, manifest }
  }

  return {
    get learnt() {
      return learnt
    },
    async learn(examples) {
      const x = new Float32Array(rule.batch * width)
      examples.forEach(({ features, eventMs }, row) => {
        columns.forEach((column, i) => {
          const value = features[column]!
          x[row * width + i] = Number.isNaN(value) ? MISSING : value
        })
        firstMs = Math.min(firstMs, eventMs)
      })
      const labels = examples.map(({ label }) => label)
      await trainer.step({ x: float32([rule.batch, width], x), y: float32([rule.batch, 1], labels) })
      learnt += rule.batch
      const { labelMs } = examples.at(-1)!
      if (learnt % (rule.batch * rule.publishEvery) > 0 || labelMs - publishedMs < rule.publishEveryMs) return null
      publishedMs = labelMs
      return publish(labelMs)
    },
    async state() {
      const tensors = await trainer.state()
      return { columns: inOrder, categories: settings.categories, learnt, firstMs, publishedMs, tensors }
    },
    close: () => trainer.close(),
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i])
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
