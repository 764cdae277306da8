import { createChangeSignal } from './change-signal.ts'
import type { Appends, EventLog, TaskWriter, Transaction } from './event-log.ts'
import { checkTopics, fenced, outOfRange, recordSizeBytes, tooLarge } from './refusals.ts'
import { createCatalogue, type PartitionBounds } from './sqlite-catalogue.ts'
import { openSqliteFile, type SqliteOptions } from './sqlite-file.ts'
import { createGroups } from './sqlite-groups.ts'
import { createRecords } from './sqlite-records.ts'
import { LOG_LAYOUT } from './sqlite-tables.ts'
import { createTransactions } from './sqlite-transactions.ts'

/** How often a waiting reader looks for what other processes appended. */
const POLL_MS = 4

/**
 * The event log in one SQLite file, for one machine: several processes may open it at once, one of them writes at a
 * time. Every call answers synchronously, and blocks up to `busyTimeoutMs` while another process writes.
 *
 * - A commit outside `together` is a transaction of its own (about 50 µs); inside, many share one. All that this
 *   object does while a `together` runs belongs to it. Readers inside see what was appended before.
 * - Memory is bounded by what a fetch returns. Costs: append O(1), fetch O(records returned), truncate O(dropped),
 *   offsetAt a few milliseconds at any length, clean O(records of compacted topics that have grown).
 * - Throws LOG_UNAVAILABLE (retryable when the file is locked), STORAGE_FULL, STORAGE_CORRUPT; a failed call changed
 *   nothing, and the log goes on as soon as the cause is gone.
 */
export function openSqliteLog(file: string, options: SqliteOptions = {}): EventLog {
  const sqlite = openSqliteFile(file, LOG_LAYOUT, options)
  const { db } = sqlite
  const catalogue = createCatalogue(db)
  const groups = createGroups(db)
  const records = createRecords(db)
  /** Per compacted partition, its end when it was last compacted. */
  const compactedTo = new Map<number, number>()
  /** The encoded values of the call at work, in order. */
  const values: (Uint8Array | null)[] = []
  let hasAppended = false

  let polledVersion = sqlite.dataVersion()
  const changes = createChangeSignal(() => {
    const version = transactions.read(sqlite.dataVersion)
    const isNew = version !== polledVersion
    polledVersion = version
    return isNew
  }, POLL_MS)

  const transactions = createTransactions(sqlite, {
    changedOutside: () => catalogue.expire(),
    committing() {
      catalogue.flush()
      groups.flush()
    },
    committed() {
      if (hasAppended) changes.raise()
      hasAppended = false
    },
    rolledBack() {
      hasAppended = false
      catalogue.forget()
      groups.forget()
      compactedTo.clear()
    },
  })
  const { write, read, together } = transactions

  const refuseInside = (what: string): void => {
    if (together.isRunning()) throw new Error(`${what} must not be called inside together`)
  }

  /** Every refusal comes before the first change: a call that throws has changed nothing. */
  const encode = (appends: readonly Appends[]): void => {
    values.length = 0
    for (const { topic, partition, records: added } of appends) {
      catalogue.partition(topic, partition)
      const limitBytes = catalogue.topic(topic)!.spec.maxRecordBytes
      for (const record of added) {
        const { key, value, headers } = record // by name: a record may compute them
        const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
        const sizeBytes = recordSizeBytes(
          headers === undefined ? { key, value: bytes } : { key, value: bytes, headers },
        )
        if (sizeBytes > limitBytes) throw tooLarge(topic, sizeBytes, limitBytes)
        values.push(bytes)
      }
    }
  }

  const apply = (appends: readonly Appends[]): readonly bigint[] => {
    let index = 0
    return appends.map(({ topic, partition, records: added }) => {
      const bounds = catalogue.partition(topic, partition)
      catalogue.refresh(bounds)
      const first = BigInt(bounds.end)
      if (added.length > 0) catalogue.markDirty(bounds)
      for (const record of added) records.append(bounds, record, values[index++]!)
      hasAppended ||= added.length > 0
      return first
    })
  }

  const truncateTo = (bounds: PartitionBounds, before: number): void => {
    if (before <= bounds.start) return
    bounds.start = Math.min(before, bounds.end)
    catalogue.markDirty(bounds)
    records.dropBeforeStart(bounds)
  }

  const cleanPartition = (topic: string, partition: number, nowMs: number): void => {
    const { cleanup, retentionMs } = catalogue.topic(topic)!.spec
    const bounds = catalogue.partition(topic, partition)
    catalogue.refresh(bounds)
    if (cleanup === 'compact') {
      if (compactedTo.get(bounds.id) === bounds.end && retentionMs === null) return
      records.compact(bounds, retentionMs === null ? null : nowMs - retentionMs)
      compactedTo.set(bounds.id, bounds.end)
    } else if (retentionMs !== null) {
      truncateTo(bounds, records.offsetAt(bounds, nowMs - retentionMs))
    }
  }

  const acquire = (group: string, task: string): TaskWriter => {
    refuseInside('acquire')
    const epoch = write(() => groups.nextEpoch(group, task))
    let checkedSerial = -1
    return {
      commit(transaction: Transaction) {
        write(() => {
          // Within one transaction nobody else can take the task over.
          if (checkedSerial !== transactions.serial()) {
            if (groups.epoch(group, task) !== epoch) throw fenced(group, task)
            checkedSerial = transactions.serial()
          }
          encode(transaction.appends)
          for (const position of transaction.positions) catalogue.partition(position.topic, position.partition)
          apply(transaction.appends)
          for (const position of transaction.positions) groups.move(group, position)
        })
      },
      committed: (topic, partition) => read(() => groups.committed(group, topic, partition)),
    }
  }

  return {
    ensureTopics(specs) {
      refuseInside('ensureTopics')
      write(() => {
        const existing = catalogue.load()
        checkTopics(specs, (name) => existing.get(name)?.spec)
        for (const spec of specs) {
          if (existing.has(spec.name)) catalogue.update(spec)
          else catalogue.create(spec)
        }
      })
      read(() => catalogue.load())
    },
    topics: () => read(() => new Map([...catalogue.load()].map(([name, topic]) => [name, topic.spec]))),
    append(appends) {
      return write(() => {
        encode(appends)
        return apply(appends)
      })
    },
    fetch(topic, partition, from, limits) {
      return read(() => {
        const bounds = catalogue.partition(topic, partition)
        let found = from < 0n ? [] : records.read(bounds, from, limits)
        if (found[0]?.offset !== from) {
          // Nothing at `from`: the end, a gap, or truncated. Bounds first, so that nothing appended later is skipped.
          catalogue.refresh(bounds)
          const { start, end } = bounds
          if (from < start || from > end) throw outOfRange(topic, partition, from, start, end)
          if (from === BigInt(end)) return { records: [], next: from }
          if (found.length === 0) found = records.read(bounds, from, limits)
          if (found.length === 0) return { records: [], next: BigInt(end) }
        }
        return { records: found, next: found[found.length - 1]!.offset + 1n }
      })
    },
    bounds(topic, partition) {
      return read(() => {
        const bounds = catalogue.partition(topic, partition)
        catalogue.refresh(bounds)
        return { start: BigInt(bounds.start), end: BigInt(bounds.end) }
      })
    },
    offsetAt(topic, partition, timestampMs) {
      return read(() => {
        const bounds = catalogue.partition(topic, partition)
        catalogue.refresh(bounds)
        return BigInt(records.offsetAt(bounds, timestampMs))
      })
    },
    acquire,
    committed: (group, topic, partition) => read(() => groups.committed(group, topic, partition)),
    truncate(topic, partition, before) {
      write(() => {
        const bounds = catalogue.partition(topic, partition)
        catalogue.refresh(bounds)
        truncateTo(bounds, Number(before))
      })
    },
    clean(nowMs) {
      refuseInside('clean')
      for (const [name, topic] of read(() => catalogue.load())) {
        for (let partition = 0; partition < topic.partitions.length; partition++) {
          write(() => cleanPartition(name, partition, nowMs))
        }
      }
    },
    together: together.run,
    changed: (timeoutMs) => changes.wait(timeoutMs),
    close() {
      changes.close()
      sqlite.close()
    },
  }
}
