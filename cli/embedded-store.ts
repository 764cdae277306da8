import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { RheoError } from '../schemas/errors.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { StateStore } from '../streams/state/state-store.ts'
import { readSettings, type Settings, stateDirectory } from './settings.ts'

/** One process works on an embedded log, so one partition serves it: a replay makes its topics so. */
export const EMBEDDED_PARTITIONS = 1

/** Which scenario and folder a command works on. */
export interface Place {
  readonly scenario: string
  readonly directory: string
  readonly settings: Settings
}

export interface PlaceOptions {
  readonly scenario?: string
  readonly state?: string
}

export function addPlaceOptions(command: Command): Command {
  return command
    .option('--scenario <name>', 'whose topics (default: fraud)')
    .option('--state <dir>', 'folder of log and state (default: .rheo/<scenario>)')
}

/** Settings and folder from flags, environment and file. Throws CONFIG_INVALID. */
export function placeOf(options: PlaceOptions): Place {
  const { settings } = readSettings({ scenario: options.scenario, state: options.state })
  const { scenario } = settings
  return { scenario, settings, directory: stateDirectory(settings, scenario) }
}

/** Opens the log of a folder that exists. Throws LOG_UNAVAILABLE with the way to make one where there is none. */
export async function openLog(place: Place): Promise<EventLog> {
  const file = join(place.directory, 'log.sqlite')
  if (!existsSync(file)) throw nothingThere(place.directory, 'log')
  const { openSqliteLog } = await import('../streams/event-log/sqlite.ts')
  return openSqliteLog(file)
}

/** Opens the log, making folder and file where they are missing: for commands that append. */
export async function openOrCreateLog(place: Place): Promise<EventLog> {
  const { mkdirSync } = await import('node:fs')
  try {
    mkdirSync(place.directory, { recursive: true })
  } catch (cause) {
    throw new RheoError('LOG_UNAVAILABLE', `the folder ${place.directory} cannot be made`, {
      cause,
      hint: 'Choose another with --state, or mend its permissions.',
    })
  }
  const { openSqliteLog } = await import('../streams/event-log/sqlite.ts')
  return openSqliteLog(join(place.directory, 'log.sqlite'))
}

/** Opens the state store beside the log. Throws STATE_UNAVAILABLE where there is none. */
export async function openState(place: Place): Promise<StateStore> {
  const file = join(place.directory, 'state.sqlite')
  if (!existsSync(file)) throw nothingThere(place.directory, 'state')
  const { openSqliteStateStore } = await import('../streams/state/sqlite.ts')
  return openSqliteStateStore(file)
}

function nothingThere(directory: string, what: 'log' | 'state'): RheoError {
  return new RheoError(
    what === 'log' ? 'LOG_UNAVAILABLE' : 'STATE_UNAVAILABLE',
    `there is no ${what} in ${directory}`,
    {
      hint: 'Make one with `rheo replay fraud --demo` (then add --state .rheo/demo), or name its folder with --state.',
    },
  )
}
