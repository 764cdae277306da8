import type { RecordQueue } from './record-queue.ts'

/**
 * Keeps the newest record of every key, and the records without a key. A newest record that is a tombstone goes too
 * once it is older than `tombstonesMs` (null: never). Cost: O(records held).
 */
export function compactQueue(queue: RecordQueue, tombstonesMs: number | null, nowMs: number): void {
  const newest = new Map<string, bigint>()
  for (let i = 0; i < queue.length; i++) {
    const { key, offset } = queue.at(i)
    if (key !== null) newest.set(keyText(key), offset)
  }
  queue.retain(({ key, value, offset, timestampMs }) => {
    if (key === null) return true
    if (newest.get(keyText(key)) !== offset) return false
    return value !== null || tombstonesMs === null || timestampMs >= nowMs - tombstonesMs
  })
}

/** The bytes of a key as a string that no other key has. */
function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
