import { z } from 'zod'
import { parseDurationMs } from '../../processors/duration.ts'
import { RheoError } from '../../schemas/errors.ts'

const column = z.string().min(1)

/** Where a field comes from: a column, a column split into a list, or several columns joined. */
const fieldSource = z.union([
  column,
  z.strictObject({ column, split: z.string().min(1) }),
  z.strictObject({ columns: z.array(column).min(1), join: z.string().default('') }),
])

/** A map: how the rows of one file become events. */
const inputMap = z.strictObject({
  /** The event type that a row becomes. */
  event: z.string().min(1),
  /** Where the event time comes from; without it, events take the replay's current time. */
  time: z
    .strictObject({
      column,
      /** s and ms are counted from `origin`; iso is a date and time; date is a day. */
      unit: z.enum(['s', 'ms', 'iso', 'date']),
      origin: z.iso.datetime({ offset: true }).optional(),
      /** A date stands for its last millisecond instead of its first. */
      at: z.enum(['start', 'end']).default('start'),
      /** The order is true, the clock is not: nothing may be concluded from durations. */
      synthetic: z.boolean().default(false),
    })
    .optional(),
  fields: z.record(z.string(), fieldSource),
  /** A column with the truth, which becomes a `label` event after the delay. */
  label: z
    .strictObject({
      column,
      delay: z.string(),
      source: z.enum(['chargeback', 'analyst', 'customer']).default('analyst'),
    })
    .optional(),
  /** Key columns that teach, gathered into the event's field `annotation`. */
  annotation: z.record(z.string(), fieldSource).optional(),
})

export type FieldSource = z.infer<typeof fieldSource>

export type InputMap = Omit<z.infer<typeof inputMap>, 'label'> & {
  readonly label?: {
    readonly column: string
    readonly delayMs: number
    readonly source: 'chargeback' | 'analyst' | 'customer'
  }
}

/**
 * Reads a map file's JSON text. Throws MAP_INVALID, naming the part that is wrong.
 *
 * @param file what to call the map in errors
 */
export function parseInputMap(text: string, file: string): InputMap {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new RheoError('MAP_INVALID', `${file} is not JSON: ${String(cause)}`, { cause })
  }
  const parsed = inputMap.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue === undefined || issue.path.length === 0 ? 'the map' : issue.path.join('.')
    throw new RheoError('MAP_INVALID', `${file}: ${where}: ${issue?.message}`, {
      hint: 'A map has event, fields, and mostly time: {"event": "payment", "time": {"column": "t", "unit": "s"}, "fields": {"paymentId": "id"}}.',
    })
  }
  const { label, ...rest } = parsed.data
  return label === undefined
    ? rest
    : { ...rest, label: { column: label.column, source: label.source, delayMs: delayMs(label.delay, file) } }
}

function delayMs(text: string, file: string): number {
  try {
    return parseDurationMs(text)
  } catch (cause) {
    throw new RheoError('MAP_INVALID', `${file}: label.delay: "${text}" is not a duration`, {
      hint: 'Write a number and a unit, for example 15m, 1d or 7d.',
      cause,
    })
  }
}

/** Every column that a map reads. */
export function columnsOf(map: InputMap): readonly string[] {
  const sources = [...Object.values(map.fields), ...Object.values(map.annotation ?? {})]
  return [
    ...(map.time === undefined ? [] : [map.time.column]),
    ...sources.flatMap(sourceColumns),
    ...(map.label === undefined ? [] : [map.label.column]),
  ]
}

export function sourceColumns(source: FieldSource): readonly string[] {
  if (typeof source === 'string') return [source]
  return 'columns' in source ? source.columns : [source.column]
}
