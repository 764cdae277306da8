import { createHash } from 'node:crypto'
import { RheoError } from '../schemas/errors.ts'
import { topicName } from '../schemas/topics.ts'
import type { Appends, EventLog, NewRecord, TopicSpec } from '../streams/event-log/event-log.ts'

/** Half of what brokers take as one record. */
const CHUNK_BYTES = 512 * 1_024
const FETCH = { maxRecords: 64, maxBytes: 16 * 1_048_576 }
const FIRST_WINDOW = 64n

/**
 * Where the files of a scenario's models stand, beside the records that name them: whoever can read the log can score with
 * them. A file is cut into chunks, one record each; the key says of which file, which one and of how many:
 * `<sha256>/<index>/<count>`. Compacted, so that a file that was added twice is kept once.
 */
export function modelFilesTopic(scenario: string): TopicSpec {
  const name = topicName(scenario, 'model-files')
  return { name, partitions: 1, cleanup: 'compact', retentionMs: null, maxRecordBytes: 1_000_000 }
}

/** @param timestampMs processing time */
export function fileAppends(scenario: string, sha256: string, bytes: Uint8Array, timestampMs: number): Appends {
  return { topic: modelFilesTopic(scenario).name, partition: 0, records: chunkRecords(sha256, bytes, timestampMs) }
}

/** Bytes cut into records, with the keys `<name>/<index>/<count>`. */
export function chunkRecords(name: string, bytes: Uint8Array, timestampMs: number): NewRecord[] {
  const count = Math.ceil(bytes.length / CHUNK_BYTES)
  return Array.from({ length: count }, (_, i) => {
    const value = bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)
    return { key: Buffer.from(`${name}/${i}/${count}`), value, timestampMs }
  })
}

/**
 * Reads files of a log's models by SHA-256, one after the other. It throws MODEL_INVALID where the log has no such file or its
 * bytes are others, and what the log throws. Searches from the newest chunk backwards: what serves was mostly added last.
 */
export function createFileReader(log: EventLog, scenario: string): (sha256: string) => Promise<Uint8Array> {
  // A log over a network reads one place of a partition at a time.
  let last: Promise<unknown> = Promise.resolve()
  return (sha256) => {
    const found = last.then(() => readFile(log, modelFilesTopic(scenario).name, sha256))
    last = found.catch(() => undefined)
    return found
  }
}

async function readFile(log: EventLog, topic: string, sha256: string): Promise<Uint8Array> {
  const chunks = new Map<number, Uint8Array>()
  const isThere = (await log.topics()).has(topic)
  const { start, end } = isThere ? await log.bounds(topic, 0) : { start: 0n, end: 0n }
  for (let until = end, window = FIRST_WINDOW; until > start; window *= 2n) {
    const from = until - window > start ? until - window : start
    for (let next = from; next < until; ) {
      const fetched = await log.fetch(topic, 0, next, FETCH)
      for (const { key, value } of fetched.records) {
        const [file, index, count] = Buffer.from(key ?? [])
          .toString()
          .split('/')
        if (file !== sha256 || value === null) continue
        chunks.set(Number(index), value instanceof Uint8Array ? value : value.bytes())
        if (chunks.size === Number(count)) return joined(sha256, chunks)
      }
      next = fetched.next
    }
    until = from
  }
  throw unusable(sha256, 'is not in the log')
}

function joined(sha256: string, chunks: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const bytes = Buffer.concat(
    Array.from(
      chunks
        .keys()
        .toArray()
        .sort((a, b) => a - b),
      (index) => chunks.get(index)!,
    ),
  )
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes
  throw unusable(sha256, 'was changed: its name is the SHA-256 of what it was')
}

function unusable(sha256: string, what: string): RheoError {
  return new RheoError('MODEL_INVALID', `the model file ${sha256.slice(0, 12)}… ${what}`, {
    hint: 'Add the model again with `rheo model add`.',
  })
}
