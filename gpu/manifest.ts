import { z } from 'zod'
import { RheoError } from '../schemas/errors.ts'

/** What stands beside a model file, as `<model>.json`: everything that must fit before the model may see an event. */
const Manifest = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  version: z.string().min(1).max(64),
  /** The model's one input tensor, and the features it is filled with, in order. */
  input: z.strictObject({
    name: z.string().min(1),
    dtype: z.literal('float32'),
    features: z.array(z.string().min(1)).min(1).max(10_000),
  }),
  /** What a missing feature (NaN) becomes: a number, or NaN itself for models that know what to do with it (trees). */
  missing: z.union([
    z.strictObject({ rule: z.literal('constant'), value: z.number() }),
    z.strictObject({ rule: z.literal('nan') }),
  ]),
  /** Output tensors to read, each float32 [batch, width]; a vector [batch] counts as width 1. */
  outputs: z
    .array(z.strictObject({ name: z.string().min(1), width: z.int().min(1).max(10_000) }))
    .min(1)
    .max(16),
  /** Of ONNX's own operators; null: the file imports none (trees alone). */
  opset: z.int().min(7).max(26).nullable(),
  /** SHA-256 of the model file, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Files beside the model that hold its weights: path relative to the model's folder → SHA-256. */
  externalData: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)).optional(),
  /** Event time of what it was trained on, half-open. */
  trainingRange: z.strictObject({ from: z.iso.datetime(), to: z.iso.datetime() }),
  licence: z.string().min(1),
})

export type Manifest = z.infer<typeof Manifest>

/** Reads a manifest's JSON. MODEL_INVALID names each field that is wrong. */
export function parseManifest(json: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new RheoError('MODEL_INVALID', 'The manifest is not JSON.', { cause })
  }
  const parsed = Manifest.safeParse(value)
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'manifest'}: ${issue.message}`)
    throw new RheoError('MODEL_INVALID', `The manifest does not hold: ${faults.join('; ')}`, {
      hint: 'docs/models.md lists the fields of a manifest.',
    })
  }
  const seen = new Set(parsed.data.input.features)
  if (seen.size !== parsed.data.input.features.length) {
    throw new RheoError('MODEL_INVALID', 'The manifest names a feature twice.')
  }
  return parsed.data
}

/**
 * Where the manifest's features stand in the scenario's feature set: column i of the model is column result[i] of the set.
 * MODEL_INVALID names the features that the set does not have.
 */
export function fitFeatures(manifest: Manifest, featureSet: readonly string[]): Int32Array {
  const column = new Map(featureSet.map((name, i) => [name, i]))
  const absent = manifest.input.features.filter((name) => !column.has(name))
  if (absent.length > 0) {
    const some = absent.slice(0, 10).join(', ')
    throw new RheoError(
      'MODEL_INVALID',
      `Model ${manifest.name} ${manifest.version} needs ${absent.length} features that the scenario does not compute: ${some}`,
      {
        hint: 'Declare them in the scenario, or train the model on the features that `rheo topology` lists.',
      },
    )
  }
  return Int32Array.from(manifest.input.features, (name) => column.get(name)!)
}

/**
 * Fills `into`, float32 [batch, features of the model], from rows float64 [features of the scenario]:
 * columns chosen by `columns` (of `fitFeatures`), missing values by the manifest's rule.
 */
export function fillFeatures(
  manifest: Manifest,
  columns: Int32Array,
  rows: readonly Float64Array[],
  into: Float32Array,
): void {
  const missing = manifest.missing.rule === 'constant' ? manifest.missing.value : Number.NaN
  let at = 0
  for (const row of rows) {
    for (const column of columns) {
      const value = row[column]!
      into[at++] = Number.isNaN(value) ? missing : value
    }
  }
}
