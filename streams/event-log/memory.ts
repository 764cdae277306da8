import { createChangeSignal } from './change-signal.ts'
import { compactQueue } from './compaction.ts'
import type {
  Appends,
  EventLog,
  FetchLimits,
  LogRecord,
  Position,
  TaskWriter,
  TopicSpec,
  Transaction,
} from './event-log.ts'
import { RecordQueue } from './record-queue.ts'
import { checkTopics, fenced, missingTopic, outOfRange, recordSizeBytes, tooLarge } from './refusals.ts'
import { createTogether } from './together.ts'

const NONE: readonly LogRecord[] = []

interface Topic {
  spec: TopicSpec
  readonly partitions: readonly Partition[]
}

/** A partition, and what it was when the running `together` first touched it. */
interface Partition {
  readonly queue: RecordQueue
  before: { readonly start: number; readonly end: number } | null
}

interface Cell {
  next: bigint | undefined
  before: { readonly next: bigint | undefined } | null
}

/** The positions of one group: per topic, one cell per partition. */
type GroupPositions = Map<string, Cell[]>

/**
 * The event log in memory: for replays and tests, as long as the object lives. Every call answers synchronously.
 *
 * - Keys, values and headers are kept as they are given, so they must not be changed afterwards. A `LazyBytes` value
 *   is never encoded; it counts as 0 bytes against `maxRecordBytes` and `maxBytes`.
 * - `together` undoes by marks: the first touch of a partition or position remembers its start, end and value, and a
 *   failure puts them back. Inside, `truncate` moves the start at once, but frees memory only at the end.
 * - Memory: what is not truncated stays. Costs: append, commit and truncate O(1) amortised per record, fetch O(records
 *   returned) (O(log n) more on a compacted partition), offsetAt and clean O(records held).
 */
export function createMemoryLog(): EventLog {
  const topics = new Map<string, Topic>()
  const groups = new Map<string, GroupPositions>()
  const epochs = new Map<string, { epoch: number }>()
  const changes = createChangeSignal()
  let touchedPartitions: Partition[] = []
  let touchedCells: Cell[] = []

  const together = createTogether((how) => {
    for (const cell of touchedCells) {
      if (how === 'undo') cell.next = cell.before!.next
      cell.before = null
    }
    for (const partition of touchedPartitions) {
      const { queue, before } = partition
      if (how === 'undo') {
        queue.start = before!.start
        queue.cut(before!.end)
      }
      partition.before = null
      queue.free()
    }
    touchedCells = []
    touchedPartitions = []
  })

  const refuseInside = (what: string): void => {
    if (together.isRunning()) throw new Error(`${what} must not be called inside together`)
  }

  const partitionOf = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition]
    if (found === undefined) throw missingTopic(topic, partition)
    return found
  }

  const touch = (partition: Partition): void => {
    if (!together.isRunning() || partition.before !== null) return
    partition.before = { start: partition.queue.start, end: partition.queue.end }
    touchedPartitions.push(partition)
  }

  const cellOf = (positions: GroupPositions, topic: string, partition: number): Cell => {
    let cells = positions.get(topic)
    if (cells === undefined) {
      cells = []
      positions.set(topic, cells)
    }
    let cell = cells[partition]
    if (cell === undefined) {
      cell = { next: undefined, before: null }
      cells[partition] = cell
    }
    return cell
  }

  const positionsOf = (group: string): GroupPositions => {
    let positions = groups.get(group)
    if (positions === undefined) {
      positions = new Map()
      groups.set(group, positions)
    }
    return positions
  }

  /** Every refusal comes before the first change: a call that throws has changed nothing. */
  const check = (appends: readonly Appends[]): void => {
    for (const entry of appends) {
      const limitBytes = topics.get(entry.topic)?.spec.maxRecordBytes ?? 0
      partitionOf(entry.topic, entry.partition)
      for (const record of entry.records) {
        const sizeBytes = recordSizeBytes(record)
        if (sizeBytes > limitBytes) throw tooLarge(entry.topic, sizeBytes, limitBytes)
      }
    }
  }

  const apply = (entry: Appends): number => {
    const partition = partitionOf(entry.topic, entry.partition)
    touch(partition)
    const first = partition.queue.end
    for (const record of entry.records) partition.queue.push(record)
    return first
  }

  const move = (positions: GroupPositions, position: Position): void => {
    const cell = cellOf(positions, position.topic, position.partition)
    if (together.isRunning() && cell.before === null) {
      cell.before = { next: cell.next }
      touchedCells.push(cell)
    }
    cell.next = position.next
  }

  const truncateTo = (partition: Partition, before: number): void => {
    const { queue } = partition
    if (before <= queue.start) return
    touch(partition)
    queue.start = Math.min(before, queue.end)
    if (!together.isRunning()) queue.free()
  }

  const firstAt = (queue: RecordQueue, timestampMs: number): number => {
    for (let i = queue.find(queue.start); i < queue.length; i++) {
      const record = queue.at(i)
      if (record.timestampMs >= timestampMs) return Number(record.offset)
    }
    return queue.end
  }

  const writer = (group: string, task: string): TaskWriter => {
    refuseInside('acquire')
    const name = JSON.stringify([group, task])
    const holder = epochs.get(name) ?? { epoch: 0 }
    epochs.set(name, holder)
    holder.epoch += 1
    const { epoch } = holder
    const positions = positionsOf(group)
    return {
      commit(transaction: Transaction) {
        if (holder.epoch !== epoch) throw fenced(group, task)
        check(transaction.appends)
        for (const position of transaction.positions) partitionOf(position.topic, position.partition)
        for (const entry of transaction.appends) apply(entry)
        for (const position of transaction.positions) move(positions, position)
        if (transaction.appends.length > 0) changes.raise()
      },
      committed: (topic, partition) => positions.get(topic)?.[partition]?.next,
    }
  }

  return {
    ensureTopics(specs) {
      refuseInside('ensureTopics')
      checkTopics(specs, (name) => topics.get(name)?.spec)
      for (const spec of specs) {
        const existing = topics.get(spec.name)
        if (existing !== undefined) {
          existing.spec = spec
          continue
        }
        const partitions = Array.from({ length: spec.partitions }, () => ({ queue: new RecordQueue(), before: null }))
        topics.set(spec.name, { spec, partitions })
      }
    },
    topics: () => new Map([...topics].map(([name, topic]) => [name, topic.spec])),
    append(appends) {
      check(appends)
      const firsts = appends.map((entry) => BigInt(apply(entry)))
      changes.raise()
      return firsts
    },
    fetch(topic, partition, from, limits: FetchLimits) {
      const { queue } = partitionOf(topic, partition)
      const first = Number(from)
      if (first < queue.start || first > queue.end) throw outOfRange(topic, partition, from, queue.start, queue.end)
      const begin = queue.find(first)
      const stop = Math.min(queue.length, begin + limits.maxRecords)
      if (begin >= stop) return { records: NONE, next: begin === queue.length ? BigInt(queue.end) : from }
      const records: LogRecord[] = []
      let sizeBytes = 0
      let index = begin
      for (; index < stop; index++) {
        const record = queue.at(index)
        sizeBytes += recordSizeBytes(record)
        if (sizeBytes > limits.maxBytes && index > begin) break
        records.push(record)
      }
      return { records, next: index === queue.length ? BigInt(queue.end) : queue.at(index).offset }
    },
    bounds(topic, partition) {
      const { queue } = partitionOf(topic, partition)
      return { start: BigInt(queue.start), end: BigInt(queue.end) }
    },
    offsetAt: (topic, partition, timestampMs) => BigInt(firstAt(partitionOf(topic, partition).queue, timestampMs)),
    acquire: writer,
    committed: (group, topic, partition) => groups.get(group)?.get(topic)?.[partition]?.next,
    truncate: (topic, partition, before) => truncateTo(partitionOf(topic, partition), Number(before)),
    clean(nowMs) {
      refuseInside('clean')
      for (const { spec, partitions } of topics.values()) {
        for (const partition of partitions) {
          if (spec.cleanup === 'compact') compactQueue(partition.queue, spec.retentionMs, nowMs)
          else if (spec.retentionMs !== null) truncateTo(partition, firstAt(partition.queue, nowMs - spec.retentionMs))
        }
      }
    },
    together: together.run,
    changed: (timeoutMs) => changes.wait(timeoutMs),
    close: () => changes.close(),
  }
}
