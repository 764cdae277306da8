import type { LogRecord, NewRecord } from './event-log/event-log.ts'
import { headerText } from './event-log/headers.ts'
import type { StatePut } from './state/state-store.ts'

/** What a record of a changelog says. `flush`: the id of the flush that it belongs to. */
export type Change =
  | { readonly kind: 'put'; readonly flush: bigint; readonly put: StatePut }
  | { readonly kind: 'delete'; readonly flush: bigint; readonly table: string; readonly key: string }
  | { readonly kind: 'checkpoint'; readonly flush: bigint; readonly checkpoint: LoggedCheckpoint }

/** What a flush stands for. */
export interface LoggedCheckpoint {
  readonly positions: ReadonlyMap<string, bigint>
  readonly watermarkMs: number
}

/** No table is called so. */
const CHECKPOINT_KEY = '$checkpoint'
const FLUSH = 'flush'
const EXPIRY_BYTES = 8

/**
 * A state: key `table \0 key`; value the event time from which on it means nothing (float64 little-endian, NaN: never),
 * then its bytes. In every record the header `flush` is the flush's id.
 */
export function putRecord({ table, key, value, expiresAtMs }: StatePut, flush: bigint, timestampMs: number): NewRecord {
  const bytes = Buffer.allocUnsafe(EXPIRY_BYTES + value.byteLength)
  bytes.writeDoubleLE(expiresAtMs ?? Number.NaN, 0)
  bytes.set(value, EXPIRY_BYTES)
  return { key: keyOf(table, key), value: bytes, headers: { [FLUSH]: String(flush) }, timestampMs }
}

/** A state that is gone: a tombstone. */
export function deleteRecord(table: string, key: string, flush: bigint, timestampMs: number): NewRecord {
  return { key: keyOf(table, key), value: null, headers: { [FLUSH]: String(flush) }, timestampMs }
}

/** The last record of a flush; JSON, so that it can be read by hand. */
export function checkpointRecord(
  { positions, watermarkMs }: LoggedCheckpoint,
  flush: bigint,
  timestampMs: number,
): NewRecord {
  const text = JSON.stringify({
    positions: Object.fromEntries([...positions].map(([topic, next]) => [topic, String(next)])),
    watermarkMs: Number.isFinite(watermarkMs) ? watermarkMs : null,
  })
  return {
    key: Buffer.from(CHECKPOINT_KEY),
    value: Buffer.from(text),
    headers: { [FLUSH]: String(flush) },
    timestampMs,
  }
}

export function readChange({ key, value, headers }: LogRecord): Change {
  const flush = BigInt(headerText(headers, FLUSH)!)
  const name = Buffer.from(key!).toString()
  const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
  if (name === CHECKPOINT_KEY) return { kind: 'checkpoint', flush, checkpoint: readCheckpoint(bytes!) }
  const split = name.indexOf('\0')
  const table = name.slice(0, split)
  const stateKey = name.slice(split + 1)
  if (bytes === null) return { kind: 'delete', flush, table, key: stateKey }
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const expiresAtMs = whole.readDoubleLE(0)
  const put = {
    table,
    key: stateKey,
    value: whole.subarray(EXPIRY_BYTES),
    expiresAtMs: Number.isNaN(expiresAtMs) ? null : expiresAtMs,
  }
  return { kind: 'put', flush, put }
}

function readCheckpoint(bytes: Uint8Array): LoggedCheckpoint {
  const { positions, watermarkMs } = JSON.parse(Buffer.from(bytes).toString()) as {
    readonly positions: Readonly<Record<string, string>>
    readonly watermarkMs: number | null
  }
  return {
    positions: new Map(Object.entries(positions).map(([topic, next]) => [topic, BigInt(next)])),
    watermarkMs: watermarkMs ?? Number.NEGATIVE_INFINITY,
  }
}

function keyOf(table: string, key: string): Uint8Array {
  return Buffer.from(`${table}\0${key}`)
}
