import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { parseDurationMs } from '../processors/duration.ts'
import { RheoError } from '../schemas/errors.ts'

const duration = z.string().transform((text, context) => {
  try {
    return parseDurationMs(text)
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: error instanceof RheoError ? `${error.message}. ${error.hint}` : String(error),
    })
    return z.NEVER
  }
})

/** Every setting with its default and the default's reason. */
const settingsSchema = z.strictObject({
  /** The scenario where a command is not told one: the first that exists. */
  scenario: z.string().min(1).default('fraud'),
  /** Where log and state live; null: `.rheo/<scenario>` in the current folder, so that projects do not mix. */
  state: z.string().min(1).nullable().default(null),
  /** A replay's reaction time, in event time: labels and models act on what comes a slice later. */
  slice: duration.prefault('1s'),
  /** What models run on. The CPU is there everywhere, and the fastest for small models; `auto` measures at start. */
  provider: z.enum(['cpu', 'auto', 'webgpu', 'cuda']).default('cpu'),
  /** Records folded per commit: enough to hide the cost of a commit, few enough to keep latency low. */
  batchRecords: z.coerce.number().int().min(1).max(100_000).default(1000),
})

export type Settings = z.output<typeof settingsSchema>
export type SettingName = keyof Settings
export type SettingFlags = { readonly [name in SettingName]?: string | number | undefined }

export interface Setting {
  readonly name: SettingName
  readonly value: Settings[SettingName]
  /** `flag`, `RHEO_STATE`, the file's path, or `default`. */
  readonly from: string
}

export const settingNames = Object.keys(settingsSchema.shape) as SettingName[]

const CONFIG_FILE = 'rheo.config.json'

/** `batchRecords` → `RHEO_BATCH_RECORDS`. */
export function environmentName(name: SettingName): string {
  return `RHEO_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/**
 * The settings in force: flags before environment before file (`rheo.config.json`, or the one that RHEO_CONFIG names)
 * before defaults. Throws CONFIG_INVALID, naming the setting and where its value came from.
 */
export function readSettings(flags: SettingFlags = {}): {
  readonly settings: Settings
  readonly origins: readonly Setting[]
} {
  const file = resolve(process.env['RHEO_CONFIG'] ?? CONFIG_FILE)
  const inFile = readConfigFile(file)
  const chosen: Record<string, unknown> = { ...inFile }
  const from = new Map<string, string>(Object.keys(inFile).map((name) => [name, file]))
  for (const name of settingNames) {
    const inEnvironment = process.env[environmentName(name)]
    if (inEnvironment !== undefined && inEnvironment !== '') {
      chosen[name] = inEnvironment
      from.set(name, environmentName(name))
    }
    if (flags[name] !== undefined) {
      chosen[name] = flags[name]
      from.set(name, 'flag')
    }
  }
  const parsed = settingsSchema.safeParse(chosen)
  if (!parsed.success) throw invalid(parsed.error, from, file)
  const settings = parsed.data
  return {
    settings,
    origins: settingNames.map((name) => ({ name, value: settings[name], from: from.get(name) ?? 'default' })),
  }
}

/** The folder of a scenario's log and state. */
export function stateDirectory(settings: Settings, scenario: string): string {
  return settings.state ?? join('.rheo', scenario)
}

function readConfigFile(file: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && process.env['RHEO_CONFIG'] === undefined) return {}
    throw new RheoError('CONFIG_INVALID', `the configuration file ${file} cannot be read`, {
      cause,
      hint: 'Mend the path in RHEO_CONFIG, or unset it.',
    })
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    throw new Error('it holds no JSON object')
  } catch (cause) {
    throw new RheoError('CONFIG_INVALID', `the configuration file ${file} is not JSON`, {
      cause,
      hint: 'Write one object, for example {"slice": "15m"}.',
    })
  }
}

function invalid(error: z.ZodError, from: ReadonlyMap<string, string>, file: string): RheoError {
  const issue = error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    return new RheoError('CONFIG_INVALID', `${file} has an unknown setting "${issue.keys[0]}"`, {
      hint: `The settings are: ${settingNames.join(', ')}.`,
    })
  }
  const name = String(issue.path[0])
  return new RheoError(
    'CONFIG_INVALID',
    `the setting ${name} (from ${from.get(name) ?? 'default'}) is wrong: ${issue.message}`,
    {
      hint: '`rheo config print --help` describes every setting.',
    },
  )
}
