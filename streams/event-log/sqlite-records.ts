import type { DatabaseSync } from 'node:sqlite'
import type { FetchLimits, LogRecord, NewRecord } from './event-log.ts'
import { decodeHeaders, encodeHeaders } from './headers.ts'
import type { PartitionBounds } from './sqlite-catalogue.ts'
import { arrayRows } from './sqlite-file.ts'
import { OFFSET_SPAN, TIME_INDEX_STRIDE } from './sqlite-tables.ts'

/** The records table: appends at a partition's end, reads by offset and time, drops from its start. */
export interface Records {
  /** Appends with the value already encoded, and moves the bounds in memory. */
  append(bounds: PartitionBounds, record: NewRecord, value: Uint8Array | null): void
  /** Records from offset `from` on, within the limits. */
  read(bounds: PartitionBounds, from: bigint, limits: FetchLimits): LogRecord[]
  /** First offset ≥ `bounds.start` with a timestamp ≥ timestampMs; `bounds.end` when there is none. */
  offsetAt(bounds: PartitionBounds, timestampMs: number): number
  /** Drops the records before `bounds.start`. */
  dropBeforeStart(bounds: PartitionBounds): void
  /** Keeps the newest record of every key; tombstones older than `tombstonesBeforeMs` go too (null: none). */
  compact(bounds: PartitionBounds, tombstonesBeforeMs: number | null): void
}

type Row = [
  offset: number,
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: Uint8Array | null,
  timestampMs: number,
]

const NO_LIMIT = 2 ** 31

export function createRecords(db: DatabaseSync): Records {
  const inPartition = 'id >= ?1 AND id < ?2'
  const offsetOf = `id & ${OFFSET_SPAN - 1n}`
  const insert = db.prepare('INSERT INTO records (id, timestamp_ms, key, headers, value) VALUES (?, ?, ?, ?, ?)')
  const insertTime = db.prepare('INSERT INTO time_index (id, max_timestamp_ms) VALUES (?, ?)')
  const select = arrayRows(
    db.prepare(`SELECT ${offsetOf}, key, value, headers, timestamp_ms FROM records
      WHERE ${inPartition} ORDER BY id LIMIT ?3`),
  )
  const lastTimeBefore = arrayRows(
    db.prepare(`SELECT ${offsetOf} FROM time_index
      WHERE ${inPartition} AND max_timestamp_ms < ?3 ORDER BY id DESC LIMIT 1`),
  )
  const firstAt = arrayRows(
    db.prepare(`SELECT ${offsetOf} FROM records WHERE ${inPartition} AND timestamp_ms >= ?3 ORDER BY id LIMIT 1`),
  )
  const deleteRecords = db.prepare(`DELETE FROM records WHERE ${inPartition}`)
  const deleteTimes = db.prepare(`DELETE FROM time_index WHERE ${inPartition}`)
  const deleteOlder = db.prepare(`DELETE FROM records WHERE ${inPartition} AND key IS NOT NULL AND id NOT IN
    (SELECT max(id) FROM records WHERE ${inPartition} AND key IS NOT NULL GROUP BY key)`)
  const deleteTombstones = db.prepare(`DELETE FROM records
    WHERE ${inPartition} AND key IS NOT NULL AND value IS NULL AND timestamp_ms < ?3`)

  return {
    append(bounds, record, value) {
      const { end } = bounds
      const id = bounds.base + BigInt(end)
      if (end % TIME_INDEX_STRIDE === 0 && end > 0) insertTime.run(id, bounds.maxTimestampMs)
      insert.run(id, record.timestampMs, record.key, encodeHeaders(record.headers), value)
      bounds.end = end + 1
      if (record.timestampMs > bounds.maxTimestampMs) bounds.maxTimestampMs = record.timestampMs
    },
    read(bounds, from, limits) {
      const records: LogRecord[] = []
      let sizeBytes = 0
      const limit = Math.min(limits.maxRecords, NO_LIMIT)
      for (const row of select.iterate(bounds.base + from, bounds.base + OFFSET_SPAN, limit)) {
        const [offset, key, value, headers, timestampMs] = row as unknown as Row
        sizeBytes += (key?.byteLength ?? 0) + (value?.byteLength ?? 0) + (headers?.byteLength ?? 0)
        if (sizeBytes > limits.maxBytes && records.length > 0) break
        records.push({ offset: BigInt(offset), key, value, headers: decodeHeaders(headers), timestampMs })
      }
      return records
    },
    offsetAt(bounds, timestampMs) {
      const limit = bounds.base + OFFSET_SPAN
      const indexed = lastTimeBefore.get(bounds.base, limit, timestampMs) as unknown as [number] | undefined
      const from = Math.max(bounds.start, indexed?.[0] ?? 0)
      const found = firstAt.get(bounds.base + BigInt(from), limit, timestampMs) as unknown as [number] | undefined
      return found?.[0] ?? bounds.end
    },
    dropBeforeStart(bounds) {
      const start = bounds.base + BigInt(bounds.start)
      deleteRecords.run(bounds.base, start)
      deleteTimes.run(bounds.base, start)
    },
    compact(bounds, tombstonesBeforeMs) {
      const limit = bounds.base + OFFSET_SPAN
      deleteOlder.run(bounds.base, limit)
      if (tombstonesBeforeMs !== null) deleteTombstones.run(bounds.base, limit, tombstonesBeforeMs)
    },
  }
}
