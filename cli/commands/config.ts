import type { Command } from 'commander'
import { environmentName, flagOf, type SettingGroup, settingNames, settingNotes } from '../setting-list.ts'
import { print, printJson, table } from '../terminal.ts'

const examples = `
Examples:
  rheo config print
  RHEO_SLICE=15m rheo config print --json`

export function define(command: Command): void {
  command
    .command('print')
    .description('print every setting in force and where it comes from; passwords and keys are hidden')
    .option('--json', 'one JSON document: name → {value, from}')
    .addHelpText('after', () => `${settingsHelp()}\n${examples}`)
    .action(async (options: { json?: boolean }) => {
      const { readSettings } = await import('../settings.ts')
      const { origins } = readSettings()
      if (options.json) {
        return printJson(Object.fromEntries(origins.map(({ name, value, from }) => [name, { value, from }])))
      }
      const rows = origins.map(({ name, value, from }) => [name, shown(name, value), from])
      print(table(['setting', 'value', 'from'], rows))
    })
}

/** Every setting with its flag, its variable and its default, group by group. */
function settingsHelp(): string {
  const lines = [
    '',
    'Settings, each as a flag, in the environment, or by its name in rheo.config.json (RHEO_CONFIG names another file).',
    'A secret is read from a file, too: RHEO_KAFKA_PASSWORD_FILE, or kafkaPasswordFile in the configuration.',
  ]
  const groups = new Map<SettingGroup, string[]>()
  for (const name of settingNames) {
    const { group, about, byDefault } = settingNotes[name]
    const rows = groups.get(group) ?? []
    groups.set(group, rows)
    rows.push(`  ${name.padEnd(17)}${environmentName(name).padEnd(24)}${about} (${byDefault})`)
    rows.push(`  ${''.padEnd(17)}${flagOf(name)}`)
  }
  for (const [group, rows] of groups) lines.push('', `${group}:`, ...rows)
  return lines.join('\n')
}

function shown(name: string, value: string | number | readonly string[] | null): string {
  if (value === null) return name === 'state' ? '.rheo/<scenario>' : '–'
  if (name === 'slice' || name === 'drain' || name === 'giveUpAfter') return `${value} ms`
  return Array.isArray(value) ? value.join(',') : String(value)
}
