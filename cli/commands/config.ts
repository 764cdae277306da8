import type { Command } from 'commander'
import { print, printJson, table } from '../terminal.ts'

const help = `
Settings, each as a flag, in the environment, or in rheo.config.json (RHEO_CONFIG names another file):
  scenario       whose topics, when a command is not told      RHEO_SCENARIO        default fraud
  state          folder of log and state                       RHEO_STATE           default .rheo/<scenario>
  slice          a replay's reaction time                      RHEO_SLICE           default 1s
  batchRecords   records folded per commit                     RHEO_BATCH_RECORDS   default 1000

Examples:
  rheo config print
  RHEO_SLICE=15m rheo config print --json`

export function define(command: Command): void {
  command
    .command('print')
    .description('print every setting in force and where it comes from')
    .option('--json', 'one JSON document: name → {value, from}')
    .addHelpText('after', help)
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

function shown(name: string, value: string | number | null): string {
  if (value === null) return '.rheo/<scenario>'
  return name === 'slice' ? `${value} ms` : String(value)
}
