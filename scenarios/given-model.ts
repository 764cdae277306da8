import { readFileSync } from 'node:fs'
import { type Manifest, parseManifest } from '../gpu/manifest.ts'
import { openModel } from '../gpu/open-model.ts'
import { RheoError } from '../schemas/errors.ts'
import type { Scenario } from './define-scenario.ts'
import type { NewModel } from './model-records.ts'

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
export async function readGivenModel({ file, scenario, as, fromMs }: GivenModelOptions): Promise<NewModel> {
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
