import type { SqliteLayout } from './sqlite-file.ts'

/** Offsets of one partition span this much of `records.id`: 2^44 offsets, 2^19 partitions. */
export const OFFSET_SPAN = 2n ** 44n
export const MAX_PARTITIONS = 2 ** 19
/** Every so many records of a partition, `time_index` notes the largest timestamp before it. */
export const TIME_INDEX_STRIDE = 1024

/**
 * The tables of a log file.
 *
 * - `records.id` = partitions.id · 2^44 + offset: one B-tree, in which each partition is a contiguous, ordered range.
 * - `partitions` holds the bounds, so that offsets go on after everything was truncated.
 * - `time_index` makes `offsetAt` cheap. Timestamps may be out of order, but the largest timestamp so far is not: the
 *   first record at or after T never stands before the last entry with max_timestamp_ms < T.
 */
export const LOG_LAYOUT: SqliteLayout = {
  applicationId: 0x5248_4c47, // "RHLG"
  version: 1,
  what: 'event log',
  unavailable: 'LOG_UNAVAILABLE',
  tables: `
    CREATE TABLE topics (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
      cleanup TEXT NOT NULL, retention_ms INTEGER, max_record_bytes INTEGER NOT NULL
    );
    CREATE TABLE partitions (
      id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, partition INTEGER NOT NULL,
      start_offset INTEGER NOT NULL DEFAULT 0, end_offset INTEGER NOT NULL DEFAULT 0, max_timestamp_ms INTEGER,
      UNIQUE (topic_id, partition)
    );
    CREATE TABLE records (
      id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, key BLOB, headers BLOB, value BLOB
    );
    CREATE TABLE time_index (id INTEGER PRIMARY KEY, max_timestamp_ms INTEGER NOT NULL);
    CREATE TABLE positions (
      group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
      PRIMARY KEY (group_name, topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE tasks (
      group_name TEXT NOT NULL, task TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (group_name, task)
    ) WITHOUT ROWID;`,
}
