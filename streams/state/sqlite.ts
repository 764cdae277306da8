import { RheoError } from '../../schemas/errors.ts'
import { arrayRows, openSqliteFile, type SqliteLayout, type SqliteOptions } from '../event-log/sqlite-file.ts'
import { createSqliteSweep } from './sqlite-sweep.ts'
import type { StatePart, StateStore, TaskState } from './state-store.ts'

const STATE_LAYOUT: SqliteLayout = {
  applicationId: 0x5248_5354, // "RHST"
  version: 1,
  what: 'state store',
  unavailable: 'STATE_UNAVAILABLE',
  tables: `
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);
    CREATE TABLE positions (
      task_id INTEGER NOT NULL, topic TEXT NOT NULL, next_offset INTEGER NOT NULL, PRIMARY KEY (task_id, topic)
    ) WITHOUT ROWID;
    CREATE TABLE state (
      task_id INTEGER NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, expires_at_ms INTEGER, value BLOB NOT NULL,
      PRIMARY KEY (task_id, tbl, key)
    ) WITHOUT ROWID;`,
}

/**
 * The state store in one SQLite file. Every call answers synchronously, and blocks up to `busyTimeoutMs` while
 * another process writes to the file. A flush is one transaction (about 50 µs and 3 µs per value).
 *
 * - Staged parts are written at once, into a transaction that stays open until their flush: other processes read on, and
 *   wait to write. One task stages at a time: another task's write through this object undoes what was staged, and the
 *   stager's next call fails with STATE_UNAVAILABLE, retryable.
 * - Expiry costs O(1) per put and needs no index: a clock hand walks over the task's rows (`sqlite-sweep.ts`).
 * - Keys are well-formed Unicode: a lone surrogate is stored as U+FFFD.
 * - Throws STATE_UNAVAILABLE (retryable when the file is locked), STORAGE_FULL, STORAGE_CORRUPT, FENCED; a failed
 *   call changed nothing, and the store goes on as soon as the cause is gone.
 */
export function openSqliteStateStore(file: string, options: SqliteOptions = {}): StateStore {
  const sqlite = openSqliteFile(file, STATE_LAYOUT, options)
  const { db } = sqlite
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const bumpEpoch = arrayRows(
    db.prepare(`INSERT INTO tasks (name, epoch) VALUES (?, 1)
      ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch`),
  )
  const selectEpoch = arrayRows(db.prepare('SELECT epoch FROM tasks WHERE id = ?'))
  const selectPositions = arrayRows(db.prepare('SELECT topic, next_offset FROM positions WHERE task_id = ?'))
  selectPositions.setReadBigInts(true)
  const upsertPosition = db.prepare(`INSERT INTO positions (task_id, topic, next_offset) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset`)
  const selectValue = arrayRows(db.prepare('SELECT value FROM state WHERE task_id = ? AND tbl = ? AND key = ?'))
  const selectTable = arrayRows(db.prepare('SELECT key, value FROM state WHERE task_id = ? AND tbl = ?'))
  const selectOutside = arrayRows(
    db.prepare(`SELECT value FROM state JOIN tasks ON tasks.id = state.task_id
      WHERE tasks.name = ? AND tbl = ? AND key = ?`),
  )
  const upsert = db.prepare(`INSERT INTO state (task_id, tbl, key, expires_at_ms, value) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET expires_at_ms = excluded.expires_at_ms, value = excluded.value`)
  const remove = db.prepare('DELETE FROM state WHERE task_id = ? AND tbl = ? AND key = ?')

  const read = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw sqlite.translate(error)
    }
  }

  /** The holder whose staged parts lie in the open transaction; null: no transaction is open between calls. */
  let stagedBy: object | null = null
  const undoStaged = (): void => {
    stagedBy = null
    sqlite.rollback()
  }

  const write = <T>(work: () => T): T => {
    try {
      undoStaged()
      begin.run()
      const result = work()
      commit.run()
      return result
    } catch (error) {
      sqlite.rollback()
      throw sqlite.translate(error)
    }
  }

  const positionsOf = (taskId: number): Map<string, bigint> =>
    new Map(selectPositions.all(taskId) as unknown as [string, bigint][])

  const acquire = (name: string): TaskState => {
    const [taskId, epoch, positions] = write(() => {
      const [id, newEpoch] = bumpEpoch.get(name) as unknown as [number, number]
      return [id, newEpoch, positionsOf(id)] as const
    })
    const sweep = createSqliteSweep(db, taskId)
    const holder = {}
    /** Parts given to `stage` since the last flush, failed ones too: a flush without one of them would be torn. */
    let stagedParts = 0

    /** Opens the transaction of this holder's next flush, or goes on in it; a failure undoes all of it. */
    const change = (work: () => void): void => {
      try {
        if (stagedBy !== holder) {
          undoStaged()
          begin.run()
          stagedBy = holder
          if ((selectEpoch.get(taskId) as unknown as [number])[0] !== epoch) throw fencedState(name)
          if (stagedParts > 0) throw interrupted(name)
        }
        work()
      } catch (error) {
        undoStaged()
        throw sqlite.translate(error)
      }
    }
    const apply = ({ deletes, puts, watermarkMs }: StatePart): void => {
      for (const { table, key } of deletes) remove.run(taskId, table, key)
      for (const put of puts) upsert.run(taskId, put.table, put.key, put.expiresAtMs, put.value)
      sweep(puts.length, watermarkMs)
    }

    return {
      positions,
      load: (table, keys) =>
        read(() =>
          keys.map((key) => (selectValue.get(taskId, table, key) as unknown as [Uint8Array] | undefined)?.[0]),
        ),
      scan: (table) => read(() => selectTable.all(taskId, table) as unknown as [string, Uint8Array][]),
      stage(part) {
        try {
          change(() => apply(part))
        } finally {
          stagedParts += 1
        }
      },
      flush(changes) {
        try {
          change(() => {
            apply(changes)
            for (const [topic, next] of changes.positions) upsertPosition.run(taskId, topic, next)
            commit.run()
          })
        } finally {
          stagedParts = 0
        }
        stagedBy = null
        for (const [topic, next] of changes.positions) positions.set(topic, next)
      },
    }
  }

  return {
    acquire,
    peek: (task, table, key) =>
      read(() => (selectOutside.get(task, table, key) as unknown as [Uint8Array] | undefined)?.[0]),
    close: () => sqlite.close(),
  }
}

function fencedState(task: string): RheoError {
  return new RheoError('FENCED', `Another process took over the state of task ${task}.`, {
    hint: 'Nothing was changed; this process must stop working on the task.',
  })
}

function interrupted(task: string): RheoError {
  return new RheoError('STATE_UNAVAILABLE', `Another task wrote while the flush of task ${task} was under way.`, {
    hint: 'Nothing was changed. Flush the tasks of one process one after the other.',
    retryable: true,
  })
}
