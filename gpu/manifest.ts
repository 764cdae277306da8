import { z } from 'zod'
import { RheoError } from '../schemas/errors.ts'
import { nearestName } from '../schemas/nearest-name.ts'

/** What a model may be called, in its manifest and in `--as`. */
export const ModelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/)
  .describe('1 to 64 lower-case letters, digits, - and _, the first a letter or a digit')

const text = z.string().min(1).describe('text')
const time = z.iso.datetime().describe('a time in UTC such as 2026-01-31T00:00:00Z')

/**
 * What stands beside a model file, `my.manifest.json` beside `my.onnx`: everything that must fit before the model may see an
 * event. The descriptions are what a user is told where a field is wrong: it must be that.
 */
const Manifest = z.strictObject({
  name: ModelName,
  version: z.string().min(1).max(64).describe('text of 1 to 64 characters'),
  /** The model's one input tensor, and the features it is filled with, in order. */
  input: z
    .strictObject({
      name: text,
      dtype: z.literal('float32').describe('"float32"'),
      features: z.array(text).min(1).max(10_000).describe('a list of 1 to 10,000 feature names'),
    })
    .describe('{"name", "dtype", "features"}'),
  /** What a missing feature (NaN) becomes: a number, or NaN itself for models that know what to do with it (trees). */
  missing: z
    .union([
      z.strictObject({ rule: z.literal('constant'), value: z.number() }),
      z.strictObject({ rule: z.literal('nan') }),
    ])
    .describe('{"rule": "constant", "value": NUMBER} or {"rule": "nan"}'),
  /** Output tensors to read, each float32 [batch, width]; a vector [batch] counts as width 1. */
  outputs: z
    .array(
      z
        .strictObject({ name: text, width: z.int().min(1).max(10_000).describe('a whole number from 1 to 10,000') })
        .describe('{"name", "width"}'),
    )
    .min(1)
    .max(16)
    .describe('a list of 1 to 16 {"name", "width"}'),
  /** Of ONNX's own operators; null: the file imports none (trees alone). */
  opset: z
    .int()
    .min(7)
    .max(26)
    .nullable()
    .describe('a whole number from 7 to 26, or null where the file imports none of ONNX’s own operators'),
  /** SHA-256 of the model file, hex. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('64 hex digits, lower-case'),
  /** Event time of what it was trained on, half-open. */
  trainingRange: z
    .strictObject({ from: time, to: time })
    .refine(({ from, to }) => Date.parse(from) <= Date.parse(to))
    .describe('{"from", "to"}, from not after to'),
  licence: text.describe('text such as Apache-2.0'),
})

export type Manifest = z.infer<typeof Manifest>

const LISTED = 'docs/models.md lists the fields of a manifest, and what each may be.'

/** Reads a manifest's JSON. MODEL_INVALID names each field that is wrong, with what is allowed. */
export function parseManifest(json: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new RheoError('MODEL_INVALID', `The manifest is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: `Write one JSON object. ${LISTED}`,
    })
  }
  const parsed = Manifest.safeParse(value)
  if (!parsed.success) {
    const faults = new Set(parsed.error.issues.flatMap((issue) => faultsOf(issue, value)))
    throw new RheoError('MODEL_INVALID', `The manifest does not hold: ${[...faults].join('; ')}`, { hint: LISTED })
  }
  const seen = new Set<string>()
  for (const feature of parsed.data.input.features) {
    if (seen.has(feature)) {
      throw new RheoError('MODEL_INVALID', `The manifest names the feature ${feature} twice.`, {
        hint: 'Each column of the model has a feature of its own: train it on different ones.',
      })
    }
    seen.add(feature)
  }
  return parsed.data
}

/** In words of ours, since a validator's speak of its own types. */
function faultsOf(issue: z.core.$ZodIssue, manifest: unknown): readonly string[] {
  const at = (keys: readonly PropertyKey[]): string => keys.join('.') || 'the manifest'
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${at([...issue.path, key])} is no field of a manifest`)
  let schema: z.core.$ZodType = Manifest
  let value = manifest
  for (const key of issue.path) {
    if (schema instanceof z.ZodObject) schema = schema.shape[key as string]
    else if (schema instanceof z.ZodArray) schema = schema.element
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  const what = value === undefined ? 'is missing' : `is ${shortened(JSON.stringify(value))}`
  const allowed = z.globalRegistry.get(schema)?.description ?? 'an object'
  return [`${at(issue.path)} ${what}, and must be ${allowed}`]
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

const NAMED = 10

/**
 * Where the manifest's features stand in the scenario's feature set: column i of the model is column result[i] of the set.
 * MODEL_INVALID names the features that the set does not have.
 */
export function fitFeatures(manifest: Manifest, featureSet: readonly string[]): Int32Array {
  const column = new Map(featureSet.map((name, i) => [name, i]))
  const absent = manifest.input.features.filter((name) => !column.has(name))
  if (absent.length > 0) {
    const more = absent.length > NAMED ? ` and ${absent.length - NAMED} more` : ''
    const nearest = nearestName(absent[0]!, featureSet)
    throw new RheoError(
      'MODEL_INVALID',
      `Model ${manifest.name} ${manifest.version} needs ${absent.length} feature${absent.length > 1 ? 's' : ''} that the scenario does not compute: ${absent.slice(0, NAMED).join(', ')}${more}`,
      {
        hint: `${nearest === undefined ? '' : `Did you mean ${nearest} by ${absent[0]}? `}The header of the table that \`rheo export features\` writes names the scenario's features: train the model on those, or declare what it needs in the scenario.`,
      },
    )
  }
  return Int32Array.from(manifest.input.features, (name) => column.get(name)!)
}
