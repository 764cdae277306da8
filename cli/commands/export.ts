import type { Command } from 'commander'
import { RheoError } from '../../schemas/errors.ts'
import { openLog, openRegistry } from '../connections.ts'
import { momentMs, several } from '../options.ts'
import { addPlaceOptions, type PlaceOptions, placeOf } from '../place.ts'
import { createProgressBar } from '../progress-bar.ts'
import { scenarioOf } from '../scenario-argument.ts'
import { readSettings } from '../settings.ts'
import { grouped, print, printJson } from '../terminal.ts'
import { pairInputs } from './replay.ts'

interface Options extends PlaceOptions {
  readonly output: string
  readonly input?: readonly string[]
  readonly map?: readonly string[]
  readonly slice?: string
  readonly since?: number
  readonly until?: number
  readonly json?: boolean
}

const help = `
Writes one row per scored event: its id, its time, every feature as it was served, when its label became known, and the
label. Rows stand in the order in which their labels became known; those without a label come last. Times are
milliseconds since 1970; what is missing is empty (CSV) or null (NDJSON).

With --input the file is replayed as by \`rheo replay\`, and nothing from --until on is admitted, labels included: the
table holds what was known by then. Without --input the scores and outcomes of the log in --state are read.

Examples:
  rheo export features --output features.csv --state .rheo/demo
  rheo export features --output features.csv.gz --input payments.csv.gz --map map.json --slice 15m --until 2018-08-01`

export function define(command: Command): void {
  addPlaceOptions(command.argument('<what>', 'features'))
    .requiredOption('--output <file>', '.csv, .csv.gz, .ndjson or .ndjson.gz')
    .option('--input <file>', 'CSV or NDJSON, also .gz; may be given several times', several)
    .option('--map <file>', 'which column is which field; one for all inputs, or one for each', several)
    .option('--slice <duration>', 'reaction time of the replay (default: 1s)')
    .option('--since <time>', 'leave out events before this event time', momentMs)
    .option('--until <time>', 'leave out events and labels from this event time on', momentMs)
    .option('--json', 'the counts as one JSON document')
    .addHelpText('after', help)
    .action(exportFeatures)
}

async function exportFeatures(what: string, options: Options): Promise<void> {
  if (what !== 'features') throw new RheoError('USAGE', `there is no "${what}" to export`, { hint: 'Say `features`.' })
  const inputs = pairInputs(options.input, options.map)
  const place = placeOf(options)
  const scenario = await scenarioOf(place.scenario)
  const { exportFromLog, exportFromReplay } = await import('../../scenarios/export-features.ts')
  const range = { sinceMs: options.since ?? null, untilMs: options.until ?? null }
  const file = options.output
  if (inputs.length === 0) {
    const log = await openLog(place)
    try {
      return report(
        await exportFromLog({ log, scenario, file, ...range, registry: await openRegistry(place) }),
        options,
      )
    } finally {
      await log.close()
    }
  }
  const { settings } = readSettings({ slice: options.slice })
  const bar = createProgressBar('records')
  const { slice: sliceMs, batchRecords } = settings
  try {
    const counts = await exportFromReplay({
      scenario,
      inputs,
      file,
      sliceMs,
      batchRecords,
      ...range,
      onProgress: ({ items, atMs, itemsPerSecond }) =>
        bar.update({
          done: items,
          fraction: null,
          perSecond: itemsPerSecond,
          at: Number.isFinite(atMs) ? new Date(atMs).toISOString().slice(0, 10) : '',
        }),
    })
    bar.end()
    report(counts, options)
  } finally {
    bar.end()
  }
}

function report(
  counts: { readonly rows: number; readonly labelled: number; readonly positives: number },
  { json, output }: Options,
): void {
  if (json) {
    printJson({ output, ...counts })
    return
  }
  print(
    `${grouped(counts.rows)} rows in ${output}: ${grouped(counts.labelled)} with a label, ${grouped(counts.positives)} of them positive`,
  )
}
