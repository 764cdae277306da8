import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, parseManifest } from '../gpu/manifest.ts'
import { openModel } from '../gpu/open-model.ts'
import type { ModelRecord } from '../processors/inference.ts'
import { RheoError } from '../schemas/errors.ts'
import type { Scenario } from './define-scenario.ts'

/** A model as a user gives it: the file and its manifest, checked. */
export interface GivenModel {
  readonly bytes: Uint8Array
  readonly record: ModelRecord
}

export interface GivenModelOptions {
  /** `my.onnx`; `my.manifest.json` stands beside it. */
  readonly file: string
  readonly scenario: Scenario
  /** What to call it instead of the manifest's name; null: that. */
  readonly as: string | null
  /** Event time from which on it scores; null: where its training data ends. */
  readonly fromMs: number | null
}

/**
 * Reads a model and tries it out: hash, structure, features, and one run. Throws MODEL_INVALID with the difference named, and
 * INPUT_UNREADABLE where a file cannot be read.
 */
export async function readGivenModel({ file, scenario, as, fromMs }: GivenModelOptions): Promise<GivenModel> {
  const manifestFile = file.replace(/(\.onnx)?$/, '.manifest.json')
  const given = parseManifest(readGiven(manifestFile).toString())
  const manifest: Manifest = as === null ? given : parseManifest(JSON.stringify({ ...given, name: as }))
  const taken = [scenario.model.name, ...scenario.armNames]
  if (taken.includes(manifest.name)) {
    throw new RheoError('MODEL_INVALID', `the scenario ${scenario.name} has an arm called ${manifest.name}`, {
      hint: 'Give the model another name with --as.',
    })
  }
  const bytes = readGiven(file)
  const scorer = await openModel(bytes, manifest, 'cpu', scenario.featureSet.names)
  await scorer.close()
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

/** The files of a scenario's models, by SHA-256. */
export interface ModelFiles {
  put(model: GivenModel): void
  /** Throws MODEL_INVALID where there is no such file, or its bytes are others. */
  read(sha256: string): Promise<Uint8Array>
}

/** `models/<sha256>.onnx` in the folder of a log, written whole or not at all. */
export function modelFolder(directory: string): ModelFiles {
  const folder = join(directory, 'models')
  const path = (sha256: string): string => join(folder, `${sha256}.onnx`)
  return {
    put({ bytes, record }) {
      mkdirSync(folder, { recursive: true })
      const partial = `${path(record.sha256)}.${process.pid}.partial`
      writeFileSync(partial, bytes)
      renameSync(partial, path(record.sha256))
    },
    async read(sha256) {
      const bytes = await readFile(path(sha256)).catch((cause: unknown) => {
        throw missing(sha256, `${path(sha256)} cannot be read`, cause)
      })
      if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
        throw missing(sha256, `${path(sha256)} was changed: its name is the SHA-256 of what it was`)
      }
      return bytes
    },
  }
}

/** In memory, for a replay that keeps nothing. */
export function modelMemory(): ModelFiles {
  const files = new Map<string, Uint8Array>()
  return {
    put({ bytes, record }) {
      files.set(record.sha256, bytes)
    },
    async read(sha256) {
      const bytes = files.get(sha256)
      if (bytes === undefined) throw missing(sha256, 'no such model was given')
      return bytes
    },
  }
}

function missing(sha256: string, what: string, cause?: unknown): RheoError {
  return new RheoError('MODEL_INVALID', `the model file ${sha256.slice(0, 12)}… is not there: ${what}`, {
    hint: 'Put the file back, or add the model again with `rheo model add`.',
    ...(cause === undefined ? {} : { cause }),
  })
}

function readGiven(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new RheoError('INPUT_UNREADABLE', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: 'A model is two files: my.onnx, and my.manifest.json beside it (docs/models.md).',
    })
  }
}
