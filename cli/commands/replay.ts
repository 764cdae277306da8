import type { Command } from 'commander'
import { Option } from 'commander'
import type { ReplayOptions } from '../../scenarios/replay-scenario.ts'
import { RheoError } from '../../schemas/errors.ts'
import { durationMs, momentMs, positiveNumber, several, wholeNumber } from '../options.ts'

export interface ReplayFlags {
  readonly input?: readonly string[]
  readonly map?: readonly string[]
  readonly output?: string
  readonly slice?: string
  readonly until?: number
  readonly from?: number
  readonly to?: number
  readonly report?: string
  readonly evaluateFrom?: number
  readonly evaluateUntil?: number
  readonly state?: string
  readonly demo?: boolean
  readonly payments?: number
  readonly days: number
  readonly seed: number
  readonly world: 'drift' | 'stationary'
  readonly labelDelay: number
  readonly model?: readonly string[]
  readonly dense?: boolean
  readonly json?: boolean
}

const help = `
A replay admits records in the order of their event times, in slices, and lets everything drain before the next: what
comes out is what an always-on system with that reaction time would have given, and twice the same bytes.

--from and --to read the events that a log holds, labels when they arrived, and run them through a log of their own in
memory: nothing is written to the log that is read. Features and models begin empty at --from.

Examples:
  rheo replay fraud --demo
  rheo replay fraud --payments 50000 --world stationary --seed 7 --json
  rheo replay fraud --input payments.csv.gz --map map.json --slice 15m --output scores.ndjson
  rheo replay fraud --from 2026-08-01 --to 2026-08-08     what the log of \`rheo dev\` took in, again: prints the hash
  rheo replay fraud --input a.csv --map a.json --input b.csv --map b.json --state .rheo/mine   (can be interrupted)`

export function define(command: Command): void {
  command
    .argument('[scenario]', 'a scenario', 'fraud')
    .optionsGroup('Input:')
    .option('--input <file>', 'CSV or NDJSON, also .gz; may be given several times', several)
    .option('--map <file>', 'which column is which field; one for all inputs, or one for each', several)
    .option('--until <time>', 'admit nothing from this event time on', momentMs)
    .optionsGroup('From the log (instead of --input):')
    .option('--from <time>', 'what arrived from here on in the log of --state (default: .rheo/<scenario>)', momentMs)
    .option('--to <time>', 'what arrived before this', momentMs)
    .optionsGroup('Built-in stream (without --input):')
    .option('--demo', 'the drift stream through a log on disk, kept in .rheo/demo for a look afterwards')
    .option('--payments <n>', 'about how many payments', wholeNumber, 105_000)
    .option('--days <n>', 'over how many days', positiveNumber, 120)
    .option('--seed <n>', 'another seed, another world', wholeNumber, 1)
    .addOption(new Option('--world <world>', 'whether fraud changes').choices(['drift', 'stationary']).default('drift'))
    .addOption(
      new Option('--label-delay <duration>', 'how long until a payment is known to be fraud')
        .argParser(durationMs)
        .default(durationMs('1d'), '1d'),
    )
    .optionsGroup('Run:')
    .option('--slice <duration>', 'reaction time (default: 1s)')
    .option('--model <file>', 'an ONNX model that scores beside the online one; several times', several)
    .option('--dense', 'train a neural network on the way, and let it score too')
    .option(
      '--state <dir>',
      'keep log, state and models here; called again, goes on where it stopped. With --from or --to: the log to read',
    )
    .optionsGroup('Results:')
    .option('--output <file or dir/>', 'scores as NDJSON, one a line; .gz compresses; DIR/: one file per output topic')
    .option('--report <file>', 'how good the scores were, as one HTML page')
    .option('--evaluate-from <time>', 'measure payments from here (built-in stream: from day 30 on)', momentMs)
    .option('--evaluate-until <time>', 'measure payments before this', momentMs)
    .option('--json', 'the summary as one JSON document')
    .addHelpText('after', help)
    .action(async (name: string, flags: ReplayFlags) => {
      const { runReplay } = await import('../run-replay.ts')
      await runReplay(name, flags)
    })
}

/** Pairs inputs with maps. Throws USAGE when they do not fit together. */
export function pairInputs(files: readonly string[] = [], maps: readonly string[] = []): ReplayOptions['inputs'] {
  if (files.length === 0 && maps.length === 0) return []
  if (files.length === 0) throw new RheoError('USAGE', '--map needs an --input', { hint: 'Add --input FILE.' })
  if (maps.length !== 1 && maps.length !== files.length) {
    throw new RheoError('USAGE', `there are ${files.length} inputs and ${maps.length} maps`, {
      hint: 'Give one --map for all inputs, or one for each, in the same order.',
    })
  }
  return files.map((file, i) => ({ file, map: maps.length === 1 ? maps[0]! : maps[i]! }))
}
