import type { LazyBytes, NewRecord, Transaction } from '../../streams/event-log/event-log.ts'

/** What two commits differ in; null when they would write the same bytes. Positions that did not move may be missing. */
export function commitDifference(actual: Transaction, expected: Transaction): string | null {
  if (actual.appends.length !== expected.appends.length)
    return `${actual.appends.length} appends instead of ${expected.appends.length}`
  for (const [i, { topic, partition, records }] of expected.appends.entries()) {
    const other = actual.appends[i]!
    if (other.topic !== topic || other.partition !== partition || other.records.length !== records.length)
      return `${other.records.length} records for ${other.topic}/${other.partition} instead of ${records.length} for ${topic}/${partition}`
    const at = records.findIndex((record, j) => !isSame(record, other.records[j]!))
    if (at >= 0)
      return `record ${at} for ${topic}/${partition}: ${shown(other.records[at]!)} instead of ${shown(records[at]!)}`
  }
  const positions = new Map(actual.positions.map(({ topic, partition, next }) => [`${topic}/${partition}`, next]))
  for (const { topic, partition, next } of expected.positions) {
    if (positions.get(`${topic}/${partition}`) !== next)
      return `position ${positions.get(`${topic}/${partition}`)} of ${topic}/${partition} instead of ${next}`
  }
  return null
}

function isSame(one: NewRecord, other: NewRecord): boolean {
  if (one.timestampMs !== other.timestampMs) return false
  return equal(bytesOf(one.key), bytesOf(other.key)) && equal(bytesOf(one.value), bytesOf(other.value))
}

function bytesOf(value: Uint8Array | LazyBytes | null): Uint8Array | null {
  return value === null || value instanceof Uint8Array ? value : value.bytes()
}

function equal(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0
}

function shown({ value, timestampMs }: NewRecord): string {
  const text = Buffer.from(bytesOf(value) ?? 'null')
    .toString('latin1')
    .replace(/[^ -~]+/g, '·')
  return `${timestampMs} ${text.slice(0, 200)}`
}
