import { createHash } from 'node:crypto'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import { inspectModel, MODEL_LIMITS, type ModelContents, type ModelLimits } from './inspect-model.ts'
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
  readonly limits?: ModelLimits
  /** Runs on zeros before traffic: compiles shaders, touches memory. Batch sizes. */
  readonly warmUpBatches?: readonly number[]
}

/**
 * Models of at most so many features read their weights as they are: from 64 rows on that takes up to a quarter off a run, and costs
 * at most an eighth at 8 rows. Above, packed weights win at small batches and nothing is lost at large ones (docs/gpu.md).
 */
const PLAIN_WEIGHTS_UP_TO = 64

/** Reads the model file and the manifest beside it (`<model>.json` in place of `.onnx` is up to the caller), and loads it. */
export async function loadOnnxScorer(path: string, manifest: Manifest, options: OnnxScorerOptions): Promise<Scorer> {
  const limits = options.limits ?? MODEL_LIMITS
  const bytes = await readBounded(path, limits.maxFileBytes)
  checkHash('The model file', bytes, manifest.sha256)
  const contents = inspectModel(bytes, limits)
  for (const location of contents.externalLocations) await checkExternal(path, location, manifest, limits)
  return openScorer(contents.externalLocations.size > 0 ? path : bytes, contents, manifest, options)
}

/** Loads a model from bytes, as the registry and the log carry it. Weights in other files are refused. */
export async function createOnnxScorer(
  bytes: Uint8Array,
  manifest: Manifest,
  options: OnnxScorerOptions,
): Promise<Scorer> {
  checkHash('The model', bytes, manifest.sha256)
  const contents = inspectModel(bytes, options.limits ?? MODEL_LIMITS)
  if (contents.externalLocations.size > 0)
    throw new RheoError('MODEL_INVALID', 'The model keeps weights in other files, and comes without them.')
  return openScorer(bytes, contents, manifest, options)
}

async function openScorer(
  source: Uint8Array | string,
  { opset }: ModelContents,
  manifest: Manifest,
  options: OnnxScorerOptions,
): Promise<Scorer> {
  if (opset !== manifest.opset) {
    throw new RheoError(
      'MODEL_INVALID',
      `The manifest says opset ${manifest.opset ?? 'none'}, the model ${opset ?? 'none'}.`,
    )
  }
  const weights = manifest.input.features.length <= PLAIN_WEIGHTS_UP_TO ? 'plain' : 'packed'
  const session = await openSession(source, { weights, ...options })
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
  if (inputs.length !== 1 || inputs[0] !== input.name) {
    throw new RheoError(
      'MODEL_INVALID',
      `The manifest names the input ${input.name}, the model has ${inputs.join(', ')}.`,
    )
  }
  const port = session.inputMetadata[0]
  if (port?.isTensor !== true || port.type !== 'float32') {
    throw new RheoError('MODEL_INVALID', `Input ${input.name} must be a float32 tensor.`)
  }
  const [batch, width] = port.shape
  if (
    port.shape.length !== 2 ||
    typeof batch === 'number' ||
    (typeof width === 'number' && width !== input.features.length)
  ) {
    throw new RheoError(
      'MODEL_INVALID',
      `Input ${input.name} has shape [${port.shape.join(', ')}], the manifest asks for [batch, ${input.features.length}].`,
    )
  }
  for (const output of outputs) {
    if (!session.outputNames.includes(output.name)) {
      throw new RheoError(
        'MODEL_INVALID',
        `The model has no output ${output.name}; it has ${session.outputNames.join(', ')}.`,
      )
    }
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
        throw new RheoError(
          'MODEL_INVALID',
          `Output ${name} of ${model.name} ${model.version} is ${tensor?.type} [${tensor?.dims.join(', ')}], not float32 [${batch}, ${columns}].`,
        )
      }
      const row = firstNotFinite(tensor.data)
      if (row >= 0) {
        throw new RheoError(
          'MODEL_INVALID',
          `Output ${name} of ${model.name} ${model.version} is ${tensor.data[row]} in row ${Math.floor(row / columns)} of ${batch}.`,
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

function checkHash(what: string, bytes: Uint8Array, expected: string): void {
  const actual = createHash('sha256').update(bytes).digest('hex')
  if (actual !== expected) {
    throw new RheoError('MODEL_INVALID', `${what} has SHA-256 ${actual}, the manifest says ${expected}.`, {
      hint: 'The file was changed or damaged after the manifest was written.',
    })
  }
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes)
      throw new RheoError('MODEL_INVALID', `${path} has ${size} bytes, at most ${maxBytes} are allowed.`)
    return await readFile(path)
  } catch (cause) {
    if (cause instanceof RheoError) throw cause
    throw new RheoError('MODEL_INVALID', `${path} cannot be read.`, { cause })
  }
}

/** Symbolic links are followed before the check, so that none leads out of the model's folder. */
async function checkExternal(
  modelPath: string,
  location: string,
  manifest: Manifest,
  limits: ModelLimits,
): Promise<void> {
  const expected = manifest.externalData?.[location]
  if (expected === undefined)
    throw new RheoError('MODEL_INVALID', `The model keeps weights in ${location}, of which the manifest says nothing.`)
  const folder = await realpath(dirname(modelPath))
  const bytes = await readBounded(join(folder, location), limits.maxFileBytes)
  if (!(await realpath(join(folder, location))).startsWith(folder + sep)) {
    throw new RheoError('MODEL_INVALID', `The model keeps weights outside its folder, in ${location}.`)
  }
  checkHash(`External data ${location}`, bytes, expected)
}
