import { type Command, Option } from 'commander'
import { calledOf } from './catalogue.ts'
import {
  flagOf,
  type SettingGroup,
  type SettingName,
  type Settings,
  settingNames,
  settingNotes,
} from './setting-list.ts'
import { readSettings, stateDirectory } from './settings.ts'

/** Which scenario a command works on, and where its log and state are. */
export interface Place {
  readonly scenario: string
  /** Folder of the embedded log and state. */
  readonly directory: string
  readonly settings: Settings
}

/** Beside these, every setting of the servers, by its name. */
export interface PlaceOptions {
  readonly scenario?: string
  readonly state?: string
}

/** Flags that every command with a log has; of those for servers its help lists the addresses, and `shown`. */
export function addPlaceOptions(command: Command, shown: readonly SettingName[] = []): Command {
  command
    .option('--scenario <name>', 'whose topics (default: fraud)')
    .option('--state <dir>', 'folder of log and state (default: .rheo/<scenario>)')
  return addSettingOptions(command, ['Kafka', 'Redis', 'Schema registry'], ['kafka', 'redis', 'registry', ...shown])
}

/** The settings of these groups as flags; `shown` names those that the command's help lists, all of them by default. */
export function addSettingOptions(
  command: Command,
  groups: readonly SettingGroup[],
  shown: readonly string[] = settingNames,
): Command {
  for (const name of settingNames) {
    const { group, about, byDefault } = settingNotes[name]
    if (!groups.includes(group)) continue
    const option = new Option(flagOf(name), `${about} (default: ${byDefault})`)
    command.addOption(shown.includes(name) ? option : option.hideHelp())
  }
  return command
}

/** Settings and folder from flags, environment and file. Throws CONFIG_INVALID. */
export function placeOf(options: PlaceOptions): Place {
  const { settings } = readSettings(options)
  const { scenario } = settings
  return { scenario, settings, directory: stateDirectory(settings, scenario) }
}

/** What another command line needs to come to the same place, with a space before it. */
export function flagsTo({ scenario, settings, directory }: Place): string {
  const untold = readSettings().settings.scenario
  const which = scenario === untold ? '' : ` --scenario ${calledOf(scenario)}`
  return settings.kafka === null ? `${which} --state ${directory}` : which
}

/** How people are told where a command looks: the brokers, or the folder. */
export function whereLogIs({ settings, directory }: Place): string {
  return settings.kafka === null ? directory : `Kafka at ${settings.kafka.join(', ')}`
}
