import type { Command } from 'commander'
import type { ModelRecord } from '../../processors/inference.ts'
import { instant } from '../../scenarios/report/number-format.ts'
import { RheoError } from '../../schemas/errors.ts'
import { newPartitions, openLog, openRegistry } from '../connections.ts'
import { momentMs } from '../options.ts'
import { addPlaceOptions, flagsTo, type PlaceOptions, placeOf } from '../place.ts'
import { scenarioOf } from '../scenario-argument.ts'
import { print, printJson, safe } from '../terminal.ts'

interface Options extends PlaceOptions {
  readonly as?: string
  readonly from?: number
  readonly json?: boolean
}

const help = `
A model is two files: my.onnx, and my.manifest.json beside it (docs/models.md). \`add\` checks both and puts the file
into the log, with a record in the scenario's models topic. From that record on the model scores every event in shadow: its
probability stands among the challengers of each score, and the champion takes from it what labels show it to be worth. A
running \`rheo dev\` and every \`rheo run\` take it in without a gap. \`rm\` appends a record that ends it.

Examples:
  rheo model add ./my.onnx
  rheo model add ./my.onnx --as trees --state .rheo/mine
  rheo model ls
  rheo model rm trees`

export function define(command: Command): void {
  command.addHelpText('after', help)
  addPlaceOptions(command.command('add').description('let a model score').argument('<file>', 'my.onnx'))
    .option('--as <name>', "what to call it instead of the manifest's name")
    .option('--from <time>', 'event time from which on it scores (default: the end of its training range)', momentMs)
    .option('--json', 'the record as one JSON document')
    .action(add)
  addPlaceOptions(command.command('ls').description('the models of a log, and which of them score'))
    .option('--json', 'one JSON document')
    .action(list)
  addPlaceOptions(command.command('rm').description('let a model score no more').argument('<name>', 'its name'))
    .option('--json', 'the record as one JSON document')
    .action(remove)
}

async function add(file: string, options: Options): Promise<void> {
  const place = placeOf(options)
  const scenario = await scenarioOf(place.scenario)
  const { readGivenModel } = await import('../../scenarios/given-model.ts')
  const given = await readGivenModel({ file, scenario, as: options.as ?? null, fromMs: options.from ?? null })
  const { record } = given
  if (record.eventTime > Date.now()) {
    throw new RheoError(
      'MODEL_INVALID',
      `the model is to score from ${instant(record.eventTime)} on: that is still to come`,
      {
        hint: "Mend the manifest's trainingRange, or give a moment with --from.",
      },
    )
  }
  const { addModel, readModelRecords } = await import('../../scenarios/model-records.ts')
  const { modelFilesTopic } = await import('../../scenarios/model-files.ts')
  const { modelTopic } = await import('../../schemas/topics.ts')
  const log = await openLog(place)
  try {
    const registry = await openRegistry(place)
    const clash = (await readModelRecords(log, place.scenario, registry)).find(
      ({ name, version, sha256 }) => name === record.name && version === record.version && sha256 !== record.sha256,
    )
    if (clash !== undefined) {
      throw new RheoError('MODEL_INVALID', `the log knows another model as ${record.name} ${record.version}`, {
        hint: 'Give the new one a version of its own in its manifest.',
      })
    }
    const topics = await log.topics()
    const payments = topics.get(scenario.event.topic.name)
    const partitions = payments?.partitions ?? newPartitions(place, scenario.event.topic.partitions)
    const topic = modelTopic(place.scenario)
    const own = topics.has(topic.name) ? [] : [{ ...topic, partitions }]
    await log.ensureTopics([...own, modelFilesTopic(place.scenario)])
    await addModel(log, place.scenario, given, Date.now(), registry)
  } finally {
    await log.close()
  }
  if (options.json) return printJson(record)
  const { name, version, sha256, eventTime } = record
  print(`${name} ${version} scores from now on every event of ${instant(eventTime)} or later (${sha256.slice(0, 12)}…)`)
  print(`rheo subscribe scores${flagsTo(place)}   shows it among the challengers`)
}

async function list(options: Options): Promise<void> {
  const place = placeOf(options)
  const { inForce, readModelRecords } = await import('../../scenarios/model-records.ts')
  const log = await openLog(place)
  try {
    const records = await readModelRecords(log, place.scenario, await openRegistry(place))
    const scoring = new Set(inForce(records))
    const rows = records.map(({ manifest: _manifest, offset, ...rest }, i) => {
      return { ...rest, offset: String(offset), scores: scoring.has(records[i]!) }
    })
    if (options.json) return printJson({ models: rows })
    if (rows.length === 0) return print('No model was added: rheo model add FILE.onnx')
    for (const [i, { name, version, scores, sha256, partition, offset, eventTime }] of rows.entries()) {
      const what = scores ? `scores events from ${instant(eventTime)} on` : whyNot(records, i)
      print(safe(`${partition}/${offset}  ${name} ${version}  ${sha256.slice(0, 12)}…  ${what}`))
    }
  } finally {
    await log.close()
  }
}

async function remove(name: string, options: Options): Promise<void> {
  const place = placeOf(options)
  const { inForce, readModelRecords, recordAppends } = await import('../../scenarios/model-records.ts')
  const log = await openLog(place)
  try {
    const registry = await openRegistry(place)
    const known = inForce(await readModelRecords(log, place.scenario, registry))
    const found = known.find((record) => record.name === name)
    if (found === undefined) {
      throw new RheoError('USAGE', `no model called ${name} scores`, {
        hint: known.length === 0 ? 'No model does.' : `Those that do: ${known.map((one) => one.name).join(', ')}.`,
      })
    }
    const { version, sha256, manifest, eventTime } = found
    const record = { name, version, sha256, action: 'withdraw', eventTime, manifest } as const
    await log.append([await recordAppends(log, place.scenario, record, Date.now(), registry)])
    if (options.json) return printJson(record)
    print(`${name} ${version} scores no more from its record on`)
  } finally {
    await log.close()
  }
}

/** Why a record is not in force: the next one of its name tells, if it does not itself. */
function whyNot(records: readonly ModelRecord[], i: number): string {
  const { name, action } = records[i]!
  if (action === 'withdraw') return 'withdrawn here'
  const next = records.slice(i + 1).find((record) => record.name === name)
  return next?.action === 'withdraw' ? 'was withdrawn' : 'was replaced'
}
