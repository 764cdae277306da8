import type { DatabaseSync } from 'node:sqlite'
import { RheoError } from '../../schemas/errors.ts'
import type { TopicSpec } from './event-log.ts'
import { missingTopic } from './refusals.ts'
import { arrayRows } from './sqlite-file.ts'
import { MAX_PARTITIONS, OFFSET_SPAN } from './sqlite-tables.ts'

/** One partition's bounds, as far as this process knows them; `refresh` before they count. */
export interface PartitionBounds {
  readonly id: number
  /** `records.id` of offset 0. */
  readonly base: bigint
  start: number
  end: number
  /** The largest timestamp ever appended; -Infinity for none. */
  maxTimestampMs: number
  /** The catalogue's generation in which the numbers were read; older ones are stale. */
  generation: number
  isDirty: boolean
}

export interface Topic {
  readonly id: number
  readonly spec: TopicSpec
  readonly partitions: readonly PartitionBounds[]
}

/** Topics and partitions of a SQLite log, cached, because every append needs them. */
export interface Catalogue {
  topic(name: string): Topic | undefined
  /** Throws TOPIC_MISSING. */
  partition(topic: string, partition: number): PartitionBounds
  /** Reads the bounds unless they are known to be right. */
  refresh(bounds: PartitionBounds): void
  /** Puts off writing changed bounds until `flush`. */
  markDirty(bounds: PartitionBounds): void
  flush(): void
  create(spec: TopicSpec): void
  /** Retention and record size of an existing topic. */
  update(spec: TopicSpec): void
  /** All topics, read anew. */
  load(): ReadonlyMap<string, Topic>
  /** Bounds may have been changed by another process. */
  expire(): void
  /** Everything may be wrong: a transaction was undone. */
  forget(): void
}

type BoundsRow = [start: number, end: number, maxTimestampMs: number | null]
type TopicRow = [number, string, number, TopicSpec['cleanup'], number | null, number]

export function createCatalogue(db: DatabaseSync): Catalogue {
  const selectTopics = arrayRows(
    db.prepare('SELECT id, name, partitions, cleanup, retention_ms, max_record_bytes FROM topics ORDER BY name'),
  )
  const selectPartitions = arrayRows(db.prepare('SELECT id, topic_id, partition FROM partitions ORDER BY partition'))
  const selectBounds = arrayRows(
    db.prepare('SELECT start_offset, end_offset, max_timestamp_ms FROM partitions WHERE id = ?'),
  )
  const updateBounds = db.prepare(
    'UPDATE partitions SET start_offset = ?, end_offset = ?, max_timestamp_ms = ? WHERE id = ?',
  )
  const insertTopic = db.prepare(
    'INSERT INTO topics (name, partitions, cleanup, retention_ms, max_record_bytes) VALUES (?, ?, ?, ?, ?)',
  )
  const updateTopic = db.prepare('UPDATE topics SET retention_ms = ?, max_record_bytes = ? WHERE name = ?')
  const insertPartition = db.prepare('INSERT INTO partitions (topic_id, partition) VALUES (?, ?)')

  let topics = new Map<string, Topic>()
  let dirty: PartitionBounds[] = []
  let generation = 0

  const load = () => {
    const known = topics
    const partitions = new Map<number, PartitionBounds[]>()
    for (const row of selectPartitions.iterate()) {
      const [id, topicId, partition] = row as unknown as [number, number, number]
      const ofTopic = partitions.get(topicId) ?? []
      partitions.set(topicId, ofTopic)
      ofTopic[partition] = {
        id,
        base: BigInt(id) * OFFSET_SPAN,
        start: 0,
        end: 0,
        maxTimestampMs: Number.NEGATIVE_INFINITY,
        generation: -1,
        isDirty: false,
      }
    }
    topics = new Map()
    for (const row of selectTopics.iterate()) {
      const [id, name, count, cleanup, retentionMs, maxRecordBytes] = row as unknown as TopicRow
      const spec = { name, partitions: count, cleanup, retentionMs, maxRecordBytes }
      // Known bounds stay the same objects: they may hold what the open transaction has not written yet.
      topics.set(name, { id, spec, partitions: known.get(name)?.partitions ?? partitions.get(id) ?? [] })
    }
    return topics
  }

  const topicOf = (name: string) => topics.get(name) ?? load().get(name)

  return {
    topic: topicOf,
    partition(topic, partition) {
      const found = topicOf(topic)?.partitions[partition]
      if (found === undefined) throw missingTopic(topic, partition)
      return found
    },
    refresh(bounds) {
      if (db.isTransaction && bounds.generation === generation) return
      const row = selectBounds.get(bounds.id) as unknown as BoundsRow
      bounds.start = row[0]
      bounds.end = row[1]
      bounds.maxTimestampMs = row[2] ?? Number.NEGATIVE_INFINITY
      bounds.generation = generation
    },
    markDirty(bounds) {
      if (bounds.isDirty) return
      bounds.isDirty = true
      dirty.push(bounds)
    },
    flush() {
      for (const bounds of dirty) {
        const maxTimestampMs = Number.isFinite(bounds.maxTimestampMs) ? bounds.maxTimestampMs : null
        updateBounds.run(bounds.start, bounds.end, maxTimestampMs, bounds.id)
        bounds.isDirty = false
      }
      dirty = []
    },
    create(spec) {
      const { lastInsertRowid } = insertTopic.run(
        spec.name,
        spec.partitions,
        spec.cleanup,
        spec.retentionMs,
        spec.maxRecordBytes,
      )
      for (let partition = 0; partition < spec.partitions; partition++) {
        const inserted = insertPartition.run(lastInsertRowid, partition)
        if (Number(inserted.lastInsertRowid) < MAX_PARTITIONS) continue
        throw new RheoError('TOPIC_MISMATCH', `The log file is full of topics: it holds ${MAX_PARTITIONS} partitions.`)
      }
    },
    update(spec) {
      updateTopic.run(spec.retentionMs, spec.maxRecordBytes, spec.name)
    },
    load,
    expire() {
      generation += 1
    },
    forget() {
      generation += 1
      for (const bounds of dirty) bounds.isDirty = false
      dirty = []
      topics = new Map()
    },
  }
}
