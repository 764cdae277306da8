import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import type { EventSchema } from '../schemas/event-schema.ts'
import { dlqTopic } from '../schemas/topics.ts'
import { toDeadLetter } from '../streams/dead-letter.ts'
import { parseInputMap } from '../streams/input/input-map.ts'
import { defaultInputSettings, type InputItem, readInput } from '../streams/input/read-input.ts'
import type { Admission } from '../streams/replay.ts'
import type { Topology } from '../streams/topology.ts'
import type { Scenario } from './define-scenario.ts'

export interface FileInput {
  readonly file: string
  /** Path of the map. */
  readonly map: string
}

export async function* fileAdmissions(
  scenario: Scenario,
  topology: Topology,
  inputs: readonly FileInput[],
  skipItems: number,
  untilMs: number | null,
): AsyncGenerator<readonly Admission[]> {
  const files = inputs.map(({ file, map }) => ({ file, map: parseInputMap(readMap(map), map) }))
  const { event, label } = scenario
  const schemas = new Map<string, EventSchema>([
    [event.kind, event.topic.schema],
    [label.kind, label.topic.schema],
  ])
  const settings = { ...defaultInputSettings, schemas, skipItems, maxFutureMs: scenario.maxFutureMs }
  for await (const items of readInput(files, settings)) {
    const inTime = untilMs === null ? items : items.filter(({ atMs }) => atMs < untilMs)
    yield inTime.map((item) => admissionOf(item, scenario, topology))
    if (inTime.length < items.length) return
  }
}

function readMap(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new RheoError('INPUT_UNREADABLE', `the map ${file} cannot be read: ${(cause as Error).message}`, {
      hint: 'Give the path of the JSON file that says which column is which field.',
      cause,
    })
  }
}

function admissionOf(item: InputItem, scenario: Scenario, topology: Topology): Admission {
  const [main, labels] = topology.sources
  if (item.kind === 'rejected') {
    const row = { offset: BigInt(item.line), key: null, value: item.raw, headers: {}, timestampMs: item.atMs }
    const letter = toDeadLetter(row, basename(item.file), 0, item.rejection, 'input')
    return { atMs: item.atMs, topic: dlqTopic(main!.topic), key: '', value: item.raw, headers: letter.headers ?? {} }
  }
  if (item.kind === 'label') {
    const { id, eventTime, truth, source } = item
    const label = { [scenario.event.id]: id, eventTime, [scenario.label.truth]: truth, source }
    return { atMs: item.atMs, topic: labels!.topic, key: id, value: labels!.codec.encode(label) }
  }
  const isLabel = item.type === scenario.label.kind
  const source = isLabel ? labels! : main!
  const { keyField } = isLabel ? scenario.label.topic : scenario.event.topic
  const key = String((item.event as Record<string, unknown>)[keyField])
  return { atMs: item.atMs, topic: source.topic, key, value: source.codec.encode(item.event) }
}
