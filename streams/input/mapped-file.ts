import type { EventSchema } from '../../schemas/event-schema.ts'
import { arrivalMs, lookAheadRows } from './arrival-clock.ts'
import { type FileRow, readFileRows } from './file-rows.ts'
import type { InputMap } from './input-map.ts'

/** Rows of one file with the time of their arrival, taken one by one without waiting while some are at hand. */
export interface MappedFile {
  /** Whether the next row, if there is one, is at hand; otherwise call `read` first. */
  readonly ready: boolean
  /** When the next row arrives: NaN for one that takes the current time, Infinity behind the last. */
  readonly nextMs: number
  take(): FileRow
  /** Reads on. Throws INPUT_UNREADABLE once all rows before the damage were taken. */
  read(): Promise<void>
  close(): Promise<void>
}

export function openMappedFile(file: string, map: InputMap, schema: EventSchema, maxRowBytes: number): MappedFile {
  const chunks = readFileRows(file, map, schema, maxRowBytes)
  let rows: readonly FileRow[] = []
  let at = 0
  let complete = false
  let failure: unknown
  let clockMs = Number.NEGATIVE_INFINITY
  let nextMs = Number.NaN

  function timeAt(ahead: number): number {
    const row = rows[at + ahead]
    return row?.kind === 'event' ? row.eventTimeMs : Number.NaN
  }

  function lookAtNext(): void {
    if (at >= rows.length) {
      nextMs = Number.POSITIVE_INFINITY
      return
    }
    clockMs = arrivalMs(clockMs, timeAt)
    nextMs = clockMs === Number.NEGATIVE_INFINITY ? Number.NaN : clockMs
  }

  const isReady = () => at + lookAheadRows < rows.length || (complete && (at < rows.length || failure === undefined))

  return {
    get ready() {
      return isReady()
    },
    get nextMs() {
      return nextMs
    },
    take() {
      const row = rows[at++]!
      if (isReady()) lookAtNext()
      return row
    },
    async read() {
      while (!isReady()) {
        if (complete) throw failure
        try {
          const chunk = await chunks.next()
          if (chunk.done) complete = true
          else rows = at === rows.length ? chunk.value : [...rows.slice(at), ...chunk.value]
          if (!chunk.done) at = 0
        } catch (error) {
          complete = true
          failure = error
        }
      }
      lookAtNext()
    },
    async close() {
      await chunks.return(undefined)
    },
  }
}
