import { DatabaseSync } from 'node:sqlite'
import type { LogReader, ReadRecord } from './log-reader.ts'

interface Row {
  readonly partition: number
  readonly id: bigint
  readonly timestamp_ms: bigint
  readonly key: Uint8Array | null
  readonly headers: Uint8Array | null
  readonly value: Uint8Array | null
}

/** 2^44 offsets to a partition: how the embedded log numbers its records. */
const OFFSET_SPAN = 2n ** 44n

/** Reads the file of an embedded log (`log.sqlite`), without Rheo's own code. */
export function openSqliteReader(file: string): LogReader {
  const db = new DatabaseSync(file, { readOnly: true })
  return {
    read(topic) {
      const statement = db.prepare(`SELECT p.partition AS partition, r.id AS id, r.timestamp_ms AS timestamp_ms,
          r.key AS key, r.headers AS headers, r.value AS value
        FROM topics t JOIN partitions p ON p.topic_id = t.id
        JOIN records r ON r.id >= p.id * ${OFFSET_SPAN} AND r.id < (p.id + 1) * ${OFFSET_SPAN}
        WHERE t.name = ? AND (r.id % ${OFFSET_SPAN}) >= p.start_offset ORDER BY p.partition, r.id`)
      statement.setReadBigInts(true)
      const rows = statement.all(topic) as unknown as Row[]
      const records = rows.map(
        (row): ReadRecord => ({
          topic,
          partition: Number(row.partition),
          offset: row.id % OFFSET_SPAN,
          key: row.key === null ? null : Buffer.from(row.key),
          value: row.value === null ? null : Buffer.from(row.value),
          headers: headersOf(row.headers),
          timestampMs: Number(row.timestamp_ms),
        }),
      )
      return Promise.resolve(records)
    },
    close() {
      db.close()
      return Promise.resolve()
    },
  }
}

/** Per header: name length, name, kind (0 text, 1 bytes), value length, value; lengths are 32 bits, little-endian. */
function headersOf(blob: Uint8Array | null): Record<string, string> {
  const headers: Record<string, string> = {}
  const bytes = Buffer.from(blob ?? [])
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 4 + bytes.readUInt32LE(at)
    const valueEnd = nameEnd + 5 + bytes.readUInt32LE(nameEnd + 1)
    headers[bytes.toString('utf8', at + 4, nameEnd)] = bytes.toString('utf8', nameEnd + 5, valueEnd)
    at = valueEnd
  }
  return headers
}
