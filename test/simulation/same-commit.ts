import { type Entry, PROGRESS } from '../../processors/step.ts'
import type { Appends, LazyBytes, NewRecord, Position, Transaction } from '../../streams/event-log/event-log.ts'
import { Block, unpack } from '../../streams/packing.ts'
import type { Topology } from '../../streams/topology.ts'

/**
 * What two commits differ in; null when they would write the same bytes. Whether sources have a backlog depends on what
 * lay in them at the moment, so where a commit reads sources, what it tells about that (PROGRESS) is left out.
 *
 * @param moved the positions that have to be the same: those that the commit moves.
 */
export function commitDifference(
  topology: Topology,
  actual: Transaction,
  expected: Transaction,
  moved: readonly Position[],
): string | null {
  const readsSources = expected.positions.some(({ topic }) => topology.sources.some((source) => source.topic === topic))
  const one = readsSources ? appendsByPartition(topology, actual) : actual.appends
  const other = readsSources ? appendsByPartition(topology, expected) : expected.appends
  if (one.length !== other.length) return `${one.length} appends instead of ${other.length}`
  for (const [i, { topic, partition, records }] of other.entries()) {
    const found = one[i]!
    if (found.topic !== topic || found.partition !== partition || found.records.length !== records.length)
      return `${found.records.length} records for ${found.topic}/${found.partition} instead of ${records.length} for ${topic}/${partition}`
    const at = records.findIndex((record, j) => !isSame(record, found.records[j]!))
    if (at >= 0)
      return `record ${at} for ${topic}/${partition}: ${shown(found.records[at]!)} instead of ${shown(records[at]!)}`
  }
  const positions = new Map(actual.positions.map(({ topic, partition, next }) => [`${topic}/${partition}`, next]))
  for (const { topic, partition, next } of moved) {
    if (positions.get(`${topic}/${partition}`) !== next)
      return `position ${positions.get(`${topic}/${partition}`)} of ${topic}/${partition} instead of ${next}`
  }
  return null
}

/** Whether these appends say nothing but how far their task has come in a backlog. */
export function tellsProgressOnly(topology: Topology, appends: readonly Appends[]): boolean {
  const values = appends.flatMap(({ records }) => records.map(({ value }) => value))
  return values.every((value) => unpack(value, topology.bodies).every(({ kind }) => kind === PROGRESS))
}

/** Everything for one partition together; on stages' topics as one block, without progress. */
function appendsByPartition(topology: Topology, { appends }: Transaction): Appends[] {
  const partitions = new Map<string, { topic: string; partition: number; records: NewRecord[] }>()
  for (const { topic, partition, records } of appends) {
    const name = `${topic}/${partition}`
    const known = partitions.get(name) ?? { topic, partition, records: [] }
    partitions.set(name, known)
    known.records.push(...records)
  }
  const stageTopics = new Set(topology.stages.map(({ topic }) => topic))
  const together: Appends[] = []
  for (const append of partitions.values()) {
    if (!stageTopics.has(append.topic)) together.push(append)
    else {
      const entries: Entry[] = append.records.flatMap(({ value }) => [...unpack(value, topology.bodies)])
      const others = entries.filter(({ kind }) => kind !== PROGRESS)
      const { timestampMs } = append.records[0]!
      const record = { key: null, value: new Block(others, topology.bodies), timestampMs }
      if (others.length > 0) together.push({ ...append, records: [record] })
    }
  }
  const nameOf = ({ topic, partition }: Appends): string => `${topic}/${partition}`
  return together.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
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
