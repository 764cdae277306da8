import { readFileSync, statSync } from 'node:fs'
import { MODEL_LIMITS } from '../gpu/inspect-model.ts'
import { type Manifest, ModelName, parseManifest } from '../gpu/manifest.ts'
import { DENSE_RULE } from '../gpu/online-dense.ts'
import { openModel } from '../gpu/open-model.ts'
import { RheoError } from '../schemas/errors.ts'
import type { Scenario } from './define-scenario.ts'
import type { NewModel } from './model-records.ts'

interface GivenModelOptions {
  /** `my.onnx`; `my.manifest.json` stands beside it. */
  readonly file: string
  readonly scenario: Scenario
  /** What to call it instead of the manifest's name; null: that. */
  readonly as: string | null
  /** Event time from which on it scores; null: where its training data ends. */
  readonly fromMs: number | null
}

/**
 * Reads a model and tries it out: hash, structure, features, and two runs, whose answers must be probabilities. Throws
 * MODEL_INVALID with the file and the difference named, USAGE for what cannot be a model's file or name, and INPUT_UNREADABLE
 * where a file cannot be read.
 */
export async function readGivenModel({ file, scenario, as, fromMs }: GivenModelOptions): Promise<NewModel> {
  if (!file.endsWith('.onnx')) {
    throw new RheoError('USAGE', `${file} is no name of a model's file: that ends in .onnx`, {
      hint: 'Give my.onnx; my.manifest.json is found beside it.',
    })
  }
  if (as !== null && !ModelName.safeParse(as).success) {
    throw new RheoError('USAGE', `--as ${as}: no model can be called that`, {
      hint: `A name is ${ModelName.description}.`,
    })
  }
  checkReadable(file)
  const manifestFile = file.replace(/\.onnx$/, '.manifest.json')
  checkReadable(manifestFile)
  const given = await about(manifestFile, () => parseManifest(read(manifestFile).toString()))
  const manifest: Manifest = { ...given, name: as ?? given.name }
  checkFree(manifest.name, scenario)
  const bytes = read(file)
  await about(file, () => tryOut(bytes, manifest, scenario.featureSet.names))
  return {
    bytes,
    record: {
      name: manifest.name,
      version: manifest.version,
      sha256: manifest.sha256,
      action: 'serve',
      eventTime: fromMs ?? Date.parse(manifest.trainingRange.to),
      manifest: JSON.stringify(manifest),
    },
  }
}

/** Opening runs it on zeros; the answers to a row of zeros and one of ones must be probabilities. */
async function tryOut(bytes: Uint8Array, manifest: Manifest, featureSet: readonly string[]): Promise<void> {
  const scorer = await openModel(bytes, manifest, 'cpu', featureSet)
  try {
    const rows = new Float32Array(2 * featureSet.length).fill(1, featureSet.length)
    await scorer.score(rows, 2)
  } finally {
    await scorer.close()
  }
}

function checkFree(name: string, scenario: Scenario): void {
  const hint = 'Give the model another name, in its manifest or with `rheo model add --as`.'
  if ([scenario.model.name, ...scenario.armNames].includes(name))
    throw new RheoError('MODEL_INVALID', `the scenario ${scenario.name} has an arm called ${name}`, { hint })
  if (name === DENSE_RULE.name)
    throw new RheoError('MODEL_INVALID', `${name} is what the network is called that --dense trains`, { hint })
}

/** A file's size is looked at before anything is read. */
function checkReadable(file: string): void {
  const { maxFileBytes } = MODEL_LIMITS
  const { size } = reading(file, () => statSync(file))
  if (size > maxFileBytes) {
    throw new RheoError('MODEL_INVALID', `${file} has ${size} bytes, at most ${maxFileBytes} are allowed`, {
      hint: 'A model scores every event: train a smaller one.',
    })
  }
}

function read(file: string): Buffer {
  return reading(file, () => readFileSync(file))
}

function reading<T>(file: string, access: () => T): T {
  try {
    return access()
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : `cannot be read: ${cause}`
    throw new RheoError('INPUT_UNREADABLE', `${file} ${why}`, {
      cause,
      hint: 'A model is two files: my.onnx, and my.manifest.json beside it (docs/models.md).',
    })
  }
}

/** Names the file in what is found about it. */
async function about<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof RheoError)) throw error
    const { code, message, hint, retryable, cause } = error
    throw new RheoError(code, `${file}: ${message}`, { retryable, cause, ...(hint === undefined ? {} : { hint }) })
  }
}
