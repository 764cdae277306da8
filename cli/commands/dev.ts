import { type Command, Option } from 'commander'
import { durationMs, positiveNumber, wholeNumber } from '../options.ts'

export interface DevFlags {
  readonly rate: number
  readonly generator: boolean
  readonly labelDelay: number
  readonly freezeAfter?: number
  readonly seed: number
  readonly world: 'drift' | 'stationary'
  readonly state?: string
  readonly dense?: boolean
  readonly for?: number
  readonly json?: boolean
}

const help = `
Runs the whole scenario in this process, on the embedded log, until Ctrl-C; then it takes in what is left and ends.
Started again, it goes on where it stopped. Without a terminal it prints a line a second.

The generator plays the demo's stream at the given rate, with the present as event time. What \`rheo produce\` appends
from another terminal is scored as well. One process at a time runs a scenario in a folder.

Examples:
  rheo dev
  rheo dev fraud --rate 500 --label-delay 5s
  rheo dev fraud --no-generator --state .rheo/mine      then: rheo produce payments --state .rheo/mine < payments.ndjson
  rheo dev fraud --for 30s --json`

export function define(command: Command): void {
  command
    .argument('[scenario]', 'a scenario', 'fraud')
    .optionsGroup('Generated payments:')
    .option('--rate <n>', 'payments per second', positiveNumber, 200)
    .addOption(
      new Option('--label-delay <duration>', 'how long until a payment is known to be fraud')
        .argParser(durationMs)
        .default(durationMs('15s'), '15s'),
    )
    .option(
      '--freeze-after <duration>',
      "when the frozen arm stops learning (default: a quarter of the stream's length)",
      durationMs,
    )
    .option('--seed <n>', 'another seed, another world', wholeNumber, 1)
    .addOption(new Option('--world <world>', 'whether fraud changes').choices(['drift', 'stationary']).default('drift'))
    .option('--no-generator', 'score only what others append')
    .optionsGroup('Run:')
    .option('--state <dir>', 'folder of log and state (default: .rheo/<scenario>)')
    .option('--dense', 'train a neural network on the way, and let it score too')
    .option('--for <duration>', 'end after this long', durationMs)
    .option('--json', 'the result at the end as one JSON document')
    .addHelpText('after', help)
    .action(async (name: string, flags: DevFlags) => {
      const { runDev } = await import('../run-dev.ts')
      await runDev(name, flags)
    })
}
