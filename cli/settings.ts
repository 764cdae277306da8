import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { z } from 'zod'
import { RheoError } from '../schemas/errors.ts'
import {
  environmentName,
  type SettingName,
  type Settings,
  settingNames,
  settingNotes,
  settingsSchema,
} from './setting-list.ts'

export interface Setting {
  readonly name: SettingName
  /** As in force; passwords and keys are left out. */
  readonly value: Settings[SettingName]
  /** `flag`, `RHEO_STATE`, the file's path, or `default`. */
  readonly from: string
}

const CONFIG_FILE = 'rheo.config.json'
const HIDDEN = '(hidden)'

/**
 * The settings in force: flags before environment before file (`rheo.config.json`, or the one that RHEO_CONFIG names)
 * before defaults. `flags` are those of the command line by the setting's name, others among them count nothing. A secret may stand in a file of its own: `RHEO_KAFKA_PASSWORD_FILE`, `--kafka-password-file`, or
 * `kafkaPasswordFile` in the configuration. Throws CONFIG_INVALID, naming the setting and where its value came from.
 */
export function readSettings(flags: object = {}): {
  readonly settings: Settings
  readonly origins: readonly Setting[]
} {
  const file = resolve(process.env['RHEO_CONFIG'] ?? CONFIG_FILE)
  const chosen: Record<string, unknown> = {}
  const from = new Map<string, string>()
  const take = (source: (name: string) => unknown, origin: (name: string) => string): void => {
    for (const name of settingNames) {
      const found = settingNotes[name].secret ? secretIn(source, origin, name) : valueIn(source, origin, name)
      if (found === null) continue
      chosen[name] = found.value
      from.set(name, found.from)
    }
  }
  const inFile = readConfigFile(file)
  take(
    (name) => inFile[name],
    () => file,
  )
  take((name) => process.env[environmentName(name)], environmentName)
  take(
    (name) => (flags as Readonly<Record<string, unknown>>)[name],
    () => 'flag',
  )
  for (const name of Object.keys(inFile)) if (!isKnown(name)) chosen[name] = inFile[name]
  const parsed = settingsSchema.safeParse(chosen)
  if (!parsed.success) throw invalid(parsed.error, from, file)
  const settings = parsed.data
  return {
    settings,
    origins: settingNames.map((name) => ({
      name,
      value: withoutSecrets(name, settings[name]),
      from: from.get(name) ?? 'default',
    })),
  }
}

/** The folder of a scenario's log and state. */
export function stateDirectory(settings: Settings, scenario: string): string {
  return settings.state ?? join('.rheo', scenario)
}

interface Found {
  readonly value: unknown
  readonly from: string
}

function valueIn(source: (name: string) => unknown, origin: (name: string) => string, name: string): Found | null {
  const value = source(name)
  return value === undefined || value === '' ? null : { value, from: origin(name) }
}

function secretIn(source: (name: string) => unknown, origin: (name: string) => string, name: string): Found | null {
  const plain = valueIn(source, origin, name)
  const named = valueIn(source, origin, `${name}File`)
  if (named === null) return plain
  if (plain !== null) {
    throw new RheoError('CONFIG_INVALID', `${name} is given twice, by ${plain.from} and by ${named.from}`, {
      hint: 'Keep the one that names a file.',
    })
  }
  try {
    return { value: readFileSync(String(named.value), 'utf8').replace(/\r?\n$/, ''), from: named.from }
  } catch (cause) {
    throw new RheoError('CONFIG_INVALID', `the file of ${name} (from ${named.from}) cannot be read: ${named.value}`, {
      cause,
      hint: 'Mend the path or the permissions of the file.',
    })
  }
}

function isKnown(name: string): boolean {
  const setting = name.replace(/File$/, '')
  if (Object.hasOwn(settingNotes, name)) return true
  return Object.hasOwn(settingNotes, setting) && settingNotes[setting as SettingName].secret === true
}

/** Passwords also stand in addresses: `redis://user:password@host`. */
function withoutSecrets(name: SettingName, value: Settings[SettingName]): Settings[SettingName] {
  if (value === null || value === undefined) return value
  if (settingNotes[name].secret) return HIDDEN
  const hide = (text: string): string => text.replace(/(\/\/[^/@]*?:)[^/]*@/, `$1${HIDDEN}@`)
  if (Array.isArray(value)) return value.map(hide)
  return typeof value === 'string' ? hide(value) : value
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
  const text = `the setting ${name} (from ${from.get(name) ?? 'default'}) is wrong: ${words(issue)}`
  return new RheoError('CONFIG_INVALID', text, { hint: '`rheo config print --help` describes every setting.' })
}

function words(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_type' || !/^(int|number)$/.test(issue.expected)) return issue.message
  return `it should be a ${issue.expected === 'int' ? 'whole ' : ''}number`
}
