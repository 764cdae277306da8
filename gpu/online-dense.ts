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

export interface PublishedModel {
  readonly bytes: Uint8Array
  readonly manifest: Manifest
}

/** A dense model that learns step by step from labelled examples, on the CPU, and publishes itself like any other model. */
export interface OnlineDense {
  /** Takes an example: [features], NaN = missing; learnt as float32. Times are event time in ms. */
  take(features: ArrayLike<number>, label: 0 | 1, eventTimeMs: number, labelTimeMs: number): void
  /** Does the steps whose examples are there, and gives the versions that are due. */
  advance(): Promise<readonly PublishedModel[]>
  close(): Promise<void>
}

/** @param categories features whose numbers are codes of names, not negative: they get hashed embeddings */
export async function createOnlineDense(
  featureNames: readonly string[],
  categories: readonly string[],
  rule: DenseRule,
): Promise<OnlineDense> {
  const width = featureNames.length
  const isCategory = new Set(categories)
  const numbers = featureNames.filter((name) => !isCategory.has(name))
  const inOrder = [...numbers, ...featureNames.filter((name) => isCategory.has(name))]
  const columns = inOrder.map((name) => featureNames.indexOf(name))
  const settings = { ...SETTINGS, numbers: numbers.length, categories: width - numbers.length }
  const { step, parameters, probability } = deepFm(settings, seededRandom(rule.seed))
  const trainer = await createTrainer(step, { provider: 'cpu' })
  const rows: Float32Array[] = []
  const labels: number[] = []
  const times: { readonly eventMs: number; readonly labelMs: number }[] = []
  let learnt = 0
  let firstMs = Number.POSITIVE_INFINITY
  let publishedMs = Number.NEGATIVE_INFINITY

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
    take(features, label, eventMs, labelMs) {
      rows.push(Float32Array.from(columns, (column) => (Number.isNaN(features[column]!) ? MISSING : features[column]!)))
      labels.push(label)
      times.push({ eventMs, labelMs })
    },
    async advance() {
      const published: PublishedModel[] = []
      while (rows.length >= rule.batch) {
        const x = new Float32Array(rule.batch * width)
        rows.splice(0, rule.batch).forEach((row, i) => {
          x.set(row, i * width)
        })
        const known = times.splice(0, rule.batch)
        for (const { eventMs } of known) firstMs = Math.min(firstMs, eventMs)
        await trainer.step({
          x: float32([rule.batch, width], x),
          y: float32([rule.batch, 1], labels.splice(0, rule.batch)),
        })
        learnt += rule.batch
        const { labelMs } = known.at(-1)!
        if (learnt % (rule.batch * rule.publishEvery) > 0 || labelMs - publishedMs < rule.publishEveryMs) continue
        publishedMs = labelMs
        published.push(await publish(labelMs))
      }
      return published
    },
    close: () => trainer.close(),
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
