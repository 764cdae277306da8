import type { Command } from 'commander'
import type { NamedNumbers } from '../../processors/step.ts'
import type { Stage } from '../../streams/topology.ts'
import { openLog, openRegistry, openState } from '../connections.ts'
import { addPlaceOptions, type PlaceOptions, placeOf } from '../place.ts'
import { print, printJson } from '../terminal.ts'

const help = `
The state as last flushed, decoded by the stage itself: what it will fold the entity's next event into. Of an entity
its current features; --json has the windows behind them, too.

Examples:
  rheo state get customerId c-17 --state .rheo/demo
  rheo state get terminalId t-3 --json`

export function define(command: Command): void {
  addPlaceOptions(command.command('get').description('the state of one key of a stage'))
    .argument('<stage>', 'a stage, as `rheo topology` names it')
    .argument('<key>', 'the entity, e.g. a customer id')
    .option('--json', 'one JSON document')
    .addHelpText('after', help)
    .action(get)
}

async function get(stageName: string, key: string, options: PlaceOptions & { readonly json?: boolean }): Promise<void> {
  const place = placeOf(options)
  const { RheoError } = await import('../../schemas/errors.ts')
  const { scenarioOf } = await import('../scenario-argument.ts')
  const scenario = await scenarioOf(place.scenario)
  const stages = scenario.topology(1, undefined, await openRegistry(place)).stages
  const stage = stages.find(({ name }) => name === stageName)
  const keyed = stages.filter((each) => each.create(0).table !== null).map(({ name }) => name)
  if (stage === undefined || !keyed.includes(stageName)) {
    throw new RheoError('USAGE', `${scenario.name} has no stage "${stageName}" with state by key`, {
      hint: `Stages with state by key: ${keyed.join(', ')}.`,
    })
  }
  const task = await taskOf(stage, key, options)
  const store = await openState(place)
  try {
    const bytes = await store.peek(`${scenario.name}-${task}`, stage.name, key)
    if (bytes === undefined) {
      throw new RheoError('INPUT_UNREADABLE', `the stage ${stageName} holds no state of ${key}`, {
        hint: 'Nothing came for this key, its state has expired, or it was not flushed yet.',
      })
    }
    const table = stage.create(task).table!
    const state = table.decode(bytes, key)
    const features = readable(table.describe?.(state, key))
    if (options.json) {
      return printJson({ stage: stageName, key, task, sizeBytes: bytes.length, features, state: plain(state) })
    }
    print(`${stageName}/${JSON.stringify(key)} in task ${task}, ${bytes.length} bytes`)
    const { inspect } = await import('node:util')
    print(
      inspect(features ?? state, {
        depth: 6,
        maxArrayLength: 40,
        breakLength: 110,
        colors: process.stdout.isTTY && !process.env['NO_COLOR'],
      }),
    )
  } finally {
    await store.close()
  }
}

/** The task that owns a key: the partition of the stage's topic in this log. */
async function taskOf(stage: Stage, key: string, options: PlaceOptions): Promise<number> {
  const log = await openLog(placeOf(options))
  try {
    const { partitionOf } = await import('../../streams/partition.ts')
    return partitionOf(key, (await log.topics()).get(stage.topic)?.partitions ?? 1)
  } finally {
    await log.close()
  }
}

/** Features by name, in order of the declaration; undefined for a stage without them. Those without a value are left out. */
function readable(described: NamedNumbers | undefined): Readonly<Record<string, number>> | undefined {
  if (described === undefined) return undefined
  const named = described.names.map((name, i) => [name, described.values[i]!] as const)
  return Object.fromEntries(named.filter(([, value]) => !Number.isNaN(value)))
}

/** Maps, sets and typed arrays as JSON knows them. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [String(key), plain(inner)]))
  if (value instanceof Set) return [...value].map(plain)
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}
