import { RheoError } from '../../schemas/errors.ts'
import type { EventSchema } from '../../schemas/event-schema.ts'
import { suggestion } from '../../schemas/nearest-name.ts'
import type { Rejection } from '../../schemas/rejection.ts'
import type { InputMap } from './input-map.ts'
import { type MappedFile, openMappedFile } from './mapped-file.ts'
import { createPendingLabels, type PendingLabels } from './pending-labels.ts'

/** One file and how its rows become events. */
export interface InputFile {
  readonly file: string
  readonly map: InputMap
}

/** What a file adds to the stream, at `atMs` of the replay's virtual clock, which never goes back. */
export type InputItem =
  | {
      readonly kind: 'event'
      readonly atMs: number
      readonly type: string
      readonly event: object
      readonly file: string
      readonly line: number
    }
  | {
      readonly kind: 'label'
      readonly atMs: number
      /** Of the labelled event. */
      readonly id: string
      /** The labelled event's time plus the map's delay, ms since 1970. */
      readonly eventTime: number
      readonly truth: boolean
      readonly source: 'chargeback' | 'analyst' | 'customer'
    }
  | {
      readonly kind: 'rejected'
      readonly atMs: number
      readonly rejection: Rejection
      readonly raw: Uint8Array
      readonly file: string
      readonly line: number
    }

export interface InputSettings {
  /** The scenario's event types by name. */
  readonly schemas: ReadonlyMap<string, EventSchema>
  /** Where the clock stands before the first row: what rows without a time take until another file moves it. */
  readonly startMs: number
  /** Items to pass over, as counted by a former run over the same files: what follows is the same as it was then. */
  readonly skipItems: number
  /** A row that lies further ahead of the clock will be refused, so its label is not sent. */
  readonly maxFutureMs: number
  readonly maxRowBytes: number
}

export const defaultInputSettings = {
  startMs: 0,
  skipItems: 0,
  maxFutureMs: 86_400_000,
  maxRowBytes: 10 * 1024 * 1024,
} as const

/** Items per batch at most. */
const batchItems = 1024

interface Source {
  readonly rows: MappedFile
  readonly input: InputFile
  readonly idField: string
  readonly labels: PendingLabels
}

/**
 * The files' events and labels in the order of admission, in batches: merged by arrival, at equal times in the order
 * in which the files were given; a label before a row that arrives at the same time. Labels still waiting behind the
 * last row follow at their own times. Throws MAP_INVALID before the first item, INPUT_UNREADABLE after the items that
 * could still be read.
 */
export async function* readInput(
  inputs: readonly InputFile[],
  settings: InputSettings,
): AsyncGenerator<readonly InputItem[]> {
  const sources = inputs.map((input) => openSource(input, settings))
  try {
    // All headers are read before the first item goes out.
    for (const { rows } of sources) await rows.read()
    let clockMs = settings.startMs
    let toSkip = settings.skipItems
    let batch: InputItem[] = []
    for (;;) {
      for (const { rows } of sources) {
        if (rows.ready) continue
        if (batch.length > 0) yield batch
        batch = []
        await rows.read()
      }
      const next = earliest(sources, clockMs)
      if (next === undefined) break
      clockMs = Math.max(clockMs, next.atMs)
      const item = next.isLabel ? takeLabel(next.source, clockMs) : takeRow(next.source, clockMs, settings.maxFutureMs)
      if (toSkip > 0) toSkip--
      else batch.push(item)
      if (batch.length >= batchItems) {
        yield batch
        batch = []
      }
    }
    if (batch.length > 0) yield batch
  } finally {
    for (const { rows } of sources) await rows.close()
  }
}

function openSource(input: InputFile, settings: InputSettings): Source {
  const schema = settings.schemas.get(input.map.event)
  if (schema === undefined) {
    const names = [...settings.schemas.keys()]
    throw new RheoError('MAP_INVALID', `event: there is no event type "${input.map.event}"`, {
      hint: suggestion(input.map.event, names),
    })
  }
  const rows = openMappedFile(input.file, input.map, schema, settings.maxRowBytes)
  return { rows, input, idField: schema.avro.fields[0]!.name, labels: createPendingLabels() }
}

/** The source whose label or row comes next; undefined at the end of everything. */
function earliest(sources: readonly Source[], clockMs: number) {
  let found: { source: Source; atMs: number; isLabel: boolean } | undefined
  for (const source of sources) {
    const labelMs = source.labels.nextMs
    const rowMs = Number.isNaN(source.rows.nextMs) ? clockMs : source.rows.nextMs
    const isLabel = labelMs <= rowMs
    const atMs = Math.max(clockMs, isLabel ? labelMs : rowMs)
    if (atMs !== Number.POSITIVE_INFINITY && (found === undefined || atMs < found.atMs))
      found = { source, atMs, isLabel }
  }
  return found
}

function takeLabel({ labels, input }: Source, atMs: number): InputItem {
  const { dueMs, id, truth } = labels.take()
  const source = input.map.label?.source ?? 'analyst'
  return { kind: 'label', atMs, id, eventTime: dueMs, truth, source }
}

function takeRow({ rows, input, idField, labels }: Source, atMs: number, maxFutureMs: number): InputItem {
  const row = rows.take()
  if (row.kind === 'rejected') {
    return { kind: 'rejected', atMs, rejection: row.rejection, raw: row.raw, file: input.file, line: row.line }
  }
  const isTimeless = Number.isNaN(row.eventTimeMs)
  const eventTimeMs = isTimeless ? atMs : row.eventTimeMs
  const event = isTimeless ? { ...row.event, eventTime: atMs } : row.event
  if (row.label !== undefined && input.map.label !== undefined && eventTimeMs <= atMs + maxFutureMs) {
    const id = (row.event as Readonly<Record<string, unknown>>)[idField]
    labels.add(eventTimeMs + input.map.label.delayMs, String(id), row.label)
  }
  return { kind: 'event', atMs, type: input.map.event, event, file: input.file, line: row.line }
}
