import { gzipSync } from 'node:zlib'
import { RheoError } from '../schemas/errors.ts'
import type { Scenario } from './define-scenario.ts'
import { openOutputFile } from './output-file.ts'

type Fields = Readonly<Record<string, unknown>>

/** A table for training: one row per scored event, with the features as they were served. */
export interface FeatureTable {
  /** Takes a score event. */
  score(event: object): void
  /** Takes the outcome of a score: its row is complete and goes out. */
  outcome(event: object): void
  /** Writes the rows that have no label yet, in the order of their scores, and ends the file. */
  close(): TableCounts
}

export interface TableCounts {
  readonly rows: number
  readonly labelled: number
  readonly positives: number
}

export interface FeatureTableOptions {
  /** `.csv`, `.csv.gz`, `.ndjson` or `.ndjson.gz`. */
  readonly file: string
  readonly scenario: Scenario
  /** Events before this event time are left out; null: none are. */
  readonly sinceMs: number | null
}

interface Row {
  readonly eventTimeMs: number
  /** float64 [features] */
  readonly features: Float64Array
}

const CHUNK_CHARACTERS = 1_048_576

/**
 * Writes rows in the order in which their labels became known, so that what a learner could have known at any moment is a
 * head of the table. Columns: the event's id, its time, the features in the order of the feature set, `labelTime`,
 * `label` (0 or 1). Missing is empty (CSV) or null (NDJSON); so are the last two where no label is known. Times in ms
 * since 1970. An outcome that a later label corrects keeps its first row.
 *
 * Rows wait in memory for their labels: about 1 KB each for 123 features. Throws what `openOutputFile` throws.
 */
export function openFeatureTable({ file, scenario, sinceMs }: FeatureTableOptions): FeatureTable {
  const format = formatOf(file)
  const { names } = scenario.featureSet
  const columns = [scenario.event.id, 'eventTime', ...names, 'labelTime', 'label']
  const output = openOutputFile(file)
  const waiting = new Map<string, Row>()
  /** Outcomes whose score comes later: the label was there first. */
  const early = new Map<string, Fields>()
  const counts = { rows: 0, labelled: 0, positives: 0 }
  let pending = format === 'csv' ? `${columns.map(csvText).join(',')}\n` : ''

  const flush = (): void => {
    const bytes = Buffer.from(pending)
    pending = ''
    output.write(file.endsWith('.gz') ? gzipSync(bytes) : bytes)
  }
  const write = (id: string, row: Row, labelTimeMs: number | null, label: 0 | 1 | null): void => {
    counts.rows++
    if (label !== null) counts.labelled++
    if (label === 1) counts.positives++
    pending += format === 'csv' ? csvLine(id, row, labelTimeMs, label) : jsonLine(columns, id, row, labelTimeMs, label)
    if (pending.length >= CHUNK_CHARACTERS) flush()
  }
  const complete = (id: string, outcome: Fields): void => {
    write(id, waiting.get(id)!, outcome['labelTime'] as number, outcome[scenario.label.truth] === true ? 1 : 0)
    waiting.delete(id)
  }

  return {
    score(event) {
      const { eventTime, features } = event as { readonly eventTime: number; readonly features: Fields }
      if (sinceMs !== null && eventTime < sinceMs) return
      const vector = Float64Array.from(names, (name) => (features[name] as number | undefined) ?? Number.NaN)
      const id = String((event as Fields)[scenario.event.id])
      waiting.set(id, { eventTimeMs: eventTime, features: vector })
      const outcome = early.get(id)
      if (outcome === undefined) return
      early.delete(id)
      complete(id, outcome)
    },
    outcome(event) {
      const fields = event as Fields
      const id = String(fields[scenario.event.id])
      if (waiting.has(id)) complete(id, fields)
      else if (fields['corrected'] !== true && (sinceMs === null || (fields['eventTime'] as number) >= sinceMs))
        early.set(id, fields)
    },
    close() {
      for (const [id, row] of waiting) write(id, row, null, null)
      waiting.clear()
      if (pending !== '') flush()
      output.close()
      return counts
    },
  }
}

function formatOf(file: string): 'csv' | 'ndjson' {
  const format = /\.(csv|ndjson)(\.gz)?$/.exec(file)?.[1]
  if (format === 'csv' || format === 'ndjson') return format
  throw new RheoError('USAGE', `${file} is no name of a table`, {
    hint: 'End the name in .csv, .csv.gz, .ndjson or .ndjson.gz.',
  })
}

function csvLine(id: string, { eventTimeMs, features }: Row, labelTimeMs: number | null, label: 0 | 1 | null): string {
  let line = `${csvText(id)},${eventTimeMs}`
  for (let i = 0; i < features.length; i++) {
    const value = features[i]!
    line += Number.isNaN(value) ? ',' : `,${value}`
  }
  return `${line},${labelTimeMs ?? ''},${label ?? ''}\n`
}

function csvText(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function jsonLine(
  columns: readonly string[],
  id: string,
  { eventTimeMs, features }: Row,
  labelTimeMs: number | null,
  label: 0 | 1 | null,
): string {
  const values = [id, eventTimeMs, ...features, labelTimeMs, label]
  return `${JSON.stringify(Object.fromEntries(columns.map((column, i) => [column, values[i]])))}\n`
}
