import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import type { EventSchema } from '../schemas/event-schema.ts'
import type { Label } from '../schemas/generated/fraud/label.ts'
import { dlqTopic } from '../schemas/topics.ts'
import { toDeadLetter } from '../streams/dead-letter.ts'
import { parseInputMap } from '../streams/input/input-map.ts'
import { defaultInputSettings, type InputItem, readInput } from '../streams/input/read-input.ts'
import type { Admission } from '../streams/replay.ts'
import type { Topology } from '../streams/topology.ts'
import type { Scenario } from './define-scenario.ts'
import { generatePayments } from './fraud/generator/generate-payments.ts'
import { withLabels } from './fraud/generator/labels.ts'

export interface FileInput {
  readonly file: string
  /** Path of the map. */
  readonly map: string
}

/** The built-in stream. */
export interface GeneratedStream {
  readonly payments: number
  readonly days: number
  readonly seed: number
  readonly world: 'drift' | 'stationary'
  readonly labelDelayMs: number
}

const BATCH = 1_024
/** 2026-01-01T00:00:00Z, a round date in the past. */
export const STREAM_START_MS = 1_767_225_600_000

export async function* fileAdmissions(
  scenario: Scenario,
  topology: Topology,
  inputs: readonly FileInput[],
  skipItems: number,
  untilMs: number | null,
): AsyncGenerator<readonly Admission[]> {
  const files = inputs.map(({ file, map }) => ({ file, map: parseInputMap(readMap(map), map) }))
  const schemas = new Map<string, EventSchema>([[scenario.event.kind, scenario.event.topic.schema]])
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
  const [payments, labels] = topology.sources
  if (item.kind === 'event') {
    const key = String((item.event as Record<string, unknown>)[scenario.event.topic.keyField])
    return { atMs: item.atMs, topic: payments!.topic, key, value: payments!.codec.encode(item.event) }
  }
  if (item.kind === 'label') {
    return { atMs: item.atMs, topic: labels!.topic, key: item.event.paymentId, value: labels!.codec.encode(item.event) }
  }
  const row = { offset: BigInt(item.line), key: null, value: item.raw, headers: {}, timestampMs: item.atMs }
  const letter = toDeadLetter(row, basename(item.file), 0, item.rejection, 'input')
  return { atMs: item.atMs, topic: dlqTopic(payments!.topic), key: '', value: item.raw, headers: letter.headers ?? {} }
}

export function* generatedAdmissions(
  topology: Topology,
  stream: GeneratedStream,
  skipItems: number,
  untilMs: number | null,
): Generator<readonly Admission[]> {
  const [payments, labels] = topology.sources
  const generated = generatePayments({ ...stream, start: STREAM_START_MS })
  const items = withLabels(generated, { delay: stream.labelDelayMs, seed: stream.seed, coverage: 'all' })
  let batch: Admission[] = []
  let index = 0
  for (const item of items) {
    if (index++ < skipItems) continue
    const event: { eventTime: number } = item.kind === 'payment' ? item.generated.payment : item.label
    if (untilMs !== null && event.eventTime >= untilMs) break
    const source = item.kind === 'payment' ? payments! : labels!
    const key = item.kind === 'payment' ? item.generated.payment.customerId : (item.label as Label).paymentId
    batch.push({ atMs: event.eventTime, topic: source.topic, key, value: source.codec.encode(event) })
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}
