import { createHash } from 'node:crypto'
import { RheoError } from '../schemas/errors.ts'
import { inspectModel } from './inspect-model.ts'
import type { Manifest } from './manifest.ts'
import {
  float32,
  type OnnxSession,
  openSession,
  type Provider,
  type RuntimeOptions,
  runFailure,
  toOnnxTensor,
} from './onnx-runtime.ts'
import type { ModelVersion, Scorer, Scores } from './scorer.ts'

export interface OnnxScorerOptions extends RuntimeOptions {
  /** Runs on zeros before traffic: compiles shaders, touches memory. Batch sizes. */
  readonly warmUpBatches?: readonly number[]
}

/**
 * Models of at most so many features read their weights as they are: from 64 rows on that takes up to a quarter off a run, and costs
 * at most an eighth at 8 rows. Above, packed weights win at small batches and nothing is lost at large ones (docs/gpu.md).
 */
const PLAIN_WEIGHTS_UP_TO = 64

/** Loads a model from bytes, as the log carries it. MODEL_INVALID where it is not what the manifest says, or may not be loaded. */
export async function createOnnxScorer(
  bytes: Uint8Array,
  manifest: Manifest,
  options: OnnxScorerOptions,
): Promise<Scorer> {
  checkHash(bytes, manifest.sha256)
  const { opset } = inspectModel(bytes)
  if (opset !== manifest.opset) {
    refuse(
      `The manifest says opset ${manifest.opset ?? 'none'}, the model ${opset ?? 'none'}.`,
      `Write "opset": ${opset} into the manifest.`,
    )
  }
  const weights = manifest.input.features.length <= PLAIN_WEIGHTS_UP_TO ? 'plain' : 'packed'
  const session = await openSession(bytes, { weights, ...options })
  try {
    checkPorts(session, manifest)
    const scorer = scorerOf(session, manifest, options.provider)
    const width = manifest.input.features.length
    for (const batch of options.warmUpBatches ?? [1, 64]) await scorer.score(new Float32Array(batch * width), batch)
    return scorer
  } catch (error) {
    await session.release()
    throw error
  }
}

function checkPorts(session: OnnxSession, manifest: Manifest): void {
  const { input, outputs } = manifest
  const inputs = session.inputNames
  if (inputs.length !== 1) {
    refuse(
      `The model has ${inputs.length} inputs (${inputs.join(', ')}), not one.`,
      'Export it with one input, float32 [batch, features].',
    )
  }
  if (inputs[0] !== input.name) {
    refuse(
      `The manifest names the input ${input.name}, the model has ${inputs[0]}.`,
      `Write "name": "${inputs[0]}" into the manifest's input.`,
    )
  }
  const port = session.inputMetadata[0]
  if (port?.isTensor !== true || port.type !== 'float32') {
    refuse(
      `Input ${input.name} is ${port?.isTensor === true ? port.type : 'no tensor'}, not float32.`,
      'Export the model for float32.',
    )
  }
  const [batch, width] = port.shape
  if (
    port.shape.length !== 2 ||
    typeof batch === 'number' ||
    (typeof width === 'number' && width !== input.features.length)
  ) {
    // An exporter need not name a dimension that is open.
    const shape = port.shape.map((dim, i) => (dim === '' ? (i === 0 ? 'batch' : '?') : dim))
    refuse(
      `Input ${input.name} has shape [${shape.join(', ')}], the manifest asks for [batch, ${input.features.length}].`,
      'List as many features in the manifest as the model has columns, and export it for batches of any size.',
    )
  }
  for (const output of outputs) {
    if (session.outputNames.includes(output.name)) continue
    refuse(
      `The model has no output ${output.name}; it has ${session.outputNames.join(', ')}.`,
      "Name the one with the probability first in the manifest's outputs.",
    )
  }
}

function scorerOf(session: OnnxSession, manifest: Manifest, provider: Provider): Scorer {
  const model: ModelVersion = { name: manifest.name, version: manifest.version, sha256: manifest.sha256 }
  const width = manifest.input.features.length
  const fetches = manifest.outputs.map((output) => output.name)

  async function score(features: Float32Array, batch: number): Promise<Scores> {
    if (features.length !== batch * width)
      throw new Error(`${features.length} numbers are not ${batch} rows of ${width} features.`)
    const outputs = new Map<string, Float32Array>()
    if (batch === 0) {
      for (const output of manifest.outputs) outputs.set(output.name, new Float32Array(0))
      return { outputs, model, degraded: null }
    }
    const results = await session
      .run({ [manifest.input.name]: toOnnxTensor(float32([batch, width], features)) }, fetches)
      .catch((cause: unknown) => {
        throw runFailure(cause, provider, `model ${model.name} ${model.version} scored ${batch} rows`)
      })
    for (const { name, width: columns } of manifest.outputs) {
      const tensor = results[name]
      if (
        tensor === undefined ||
        !(tensor.data instanceof Float32Array) ||
        tensor.data.length !== batch * columns ||
        tensor.dims[0] !== batch
      ) {
        refuse(
          `Output ${name} of ${model.name} ${model.version} is ${tensor?.type} [${tensor?.dims.join(', ')}], not float32 [${batch}, ${columns}].`,
          "The manifest's width of the output must be the model's, and each row must get an answer of its own.",
        )
      }
      const row = firstNotFinite(tensor.data)
      if (row >= 0) {
        refuse(
          `Output ${name} of ${model.name} ${model.version} is ${tensor.data[row]} in row ${Math.floor(row / columns)} of ${batch}.`,
          "A model must answer any features with a number; what is missing comes in by the manifest's rule.",
        )
      }
      outputs.set(name, tensor.data)
    }
    return { outputs, model, degraded: null }
  }

  return { model, score, close: () => session.release() }
}

function firstNotFinite(numbers: Float32Array): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i
  return -1
}

function checkHash(bytes: Uint8Array, expected: string): void {
  const actual = createHash('sha256').update(bytes).digest('hex')
  if (actual !== expected) {
    refuse(
      `The model has SHA-256 ${actual}, the manifest says ${expected}.`,
      'The file was changed or damaged after the manifest was written: copy or export both once more.',
    )
  }
}

function refuse(fault: string, hint: string): never {
  throw new RheoError('MODEL_INVALID', fault, { hint })
}
