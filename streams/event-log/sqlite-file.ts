import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type ErrorCode, RheoError } from '../../schemas/errors.ts'
import { startCheckpointer } from './sqlite-checkpointer.ts'

export interface SqliteOptions {
  /** How long a call waits, blocking this thread, while another process writes to the file. Default 5000. */
  readonly busyTimeoutMs?: number
  /** The file grows no larger than this (rounded to pages of 8 KiB); then calls fail with STORAGE_FULL. Default: the disk. */
  readonly maxFileBytes?: number
  /**
   * Who copies the write-ahead log back into the file: the commit that makes it long ('inline', the default; that commit
   * takes 20 ms and more), or a thread of its own, for whoever minds how long a commit takes.
   */
  readonly checkpoints?: 'inline' | 'background'
}

export interface SqliteLayout {
  /** Written into the file's header, so that a log is not taken for a state store. */
  readonly applicationId: number
  /** Version of the tables; another version in the file is refused. */
  readonly version: number
  /** What the file is, for error texts: 'event log'. */
  readonly what: string
  /** The code when the file does not answer. */
  readonly unavailable: Extract<ErrorCode, 'LOG_UNAVAILABLE' | 'STATE_UNAVAILABLE'>
  readonly tables: string
}

export interface SqliteFile {
  readonly db: DatabaseSync
  /** Changes whenever another connection has committed; own commits leave it. */
  dataVersion(): number
  /** The error to throw for whatever was caught: SQLite's own become a `RheoError`, others stay. */
  translate(error: unknown): unknown
  /** Undoes the open transaction, if the failure has left one. */
  rollback(): void
  close(): void
}

const PAGE_BYTES = 8192
/** Pages in the write-ahead log from which on a commit copies them back: by itself, or because the thread for it does not keep up. */
const AUTO_CHECKPOINT_PAGES = { inline: 2_000, background: 65_536 }
/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
/** IOERR_SHMSIZE: the disk has no room for the shared index of the write-ahead log. */
const SHMSIZE = 4874

/**
 * Opens or creates a SQLite file for Rheo: write-ahead log (readers never wait for the writer), synchronous=NORMAL
 * (what was committed survives the end of the process; a power cut may cost the last commits, never half of one).
 * Throws STORAGE_CORRUPT when the file is something else.
 */
export function openSqliteFile(file: string, layout: SqliteLayout, options: SqliteOptions): SqliteFile {
  const translate = (error: unknown) => translateSqlite(error, file, layout)
  const { checkpoints = 'inline' } = options
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? 5000 })
    db.exec(`PRAGMA page_size=${PAGE_BYTES}`)
    if (pragma(db, 'journal_mode') !== 'wal') switchToWal(db)
    db.exec('PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768')
    db.exec(`PRAGMA wal_autocheckpoint=${AUTO_CHECKPOINT_PAGES[checkpoints]}`)
    db.exec('PRAGMA journal_size_limit=67108864')
    if (options.maxFileBytes !== undefined) {
      db.exec(`PRAGMA max_page_count=${Math.max(1, Math.floor(options.maxFileBytes / PAGE_BYTES))}`)
    }
    createTables(db, file, layout)
  } catch (error) {
    db?.close()
    throw translate(error)
  }
  const opened = db
  const checkpointer = checkpoints === 'background' ? startCheckpointer(file) : null
  const dataVersion = arrayRows(opened.prepare('PRAGMA data_version'))
  return {
    db: opened,
    dataVersion: () => (dataVersion.get() as unknown as [number])[0],
    translate,
    rollback() {
      if (opened.isTransaction) opened.exec('ROLLBACK')
    },
    close() {
      checkpointer?.close()
      opened.close()
    },
  }
}

/** Makes a statement answer rows as arrays: the cheaper form, read by position. */
export function arrayRows(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true)
  return statement
}

function pragma(db: DatabaseSync, name: string): unknown {
  return db.prepare(`PRAGMA ${name}`).get()?.[name]
}

/** The switch needs the file alone and does not wait by itself: several processes may open a new file at once. */
function switchToWal(db: DatabaseSync): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 1; ; attempt++) {
    try {
      db.exec('PRAGMA journal_mode=WAL')
      return
    } catch (error) {
      if (primaryCode(error) !== BUSY || attempt === 100) throw error
      Atomics.wait(pause, 0, 0, 10)
    }
  }
}

function createTables(db: DatabaseSync, file: string, layout: SqliteLayout): void {
  const found = pragma(db, 'application_id')
  if (found === layout.applicationId && pragma(db, 'user_version') === layout.version) return
  db.exec('BEGIN IMMEDIATE')
  const isNew = pragma(db, 'application_id') === 0 && pragma(db, 'user_version') === 0 && tableCount(db) === 0
  if (isNew) {
    db.exec(layout.tables)
    db.exec(`PRAGMA application_id=${layout.applicationId}; PRAGMA user_version=${layout.version}`)
  }
  db.exec('COMMIT')
  const isOurs = pragma(db, 'application_id') === layout.applicationId
  if (isOurs && pragma(db, 'user_version') === layout.version) return
  const what = isOurs ? `written by another version of Rheo` : `a SQLite file, but no ${layout.what} of Rheo`
  throw new RheoError('STORAGE_CORRUPT', `${file} is ${what}.`, { hint: 'Choose another file, or move this one away.' })
}

function tableCount(db: DatabaseSync): unknown {
  return db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']
}

function extendedCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}

function primaryCode(error: unknown): number | undefined {
  const code = extendedCode(error)
  return code === undefined ? undefined : code & 0xff
}

function translateSqlite(cause: unknown, file: string, layout: SqliteLayout): unknown {
  const { what, unavailable } = layout
  const full = () =>
    new RheoError('STORAGE_FULL', `No space is left for the ${what} ${file}.`, {
      hint: 'Free disk space or raise the limit, then go on: nothing of the failed transaction was kept.',
      cause,
    })
  if (extendedCode(cause) === SHMSIZE) return full()
  switch (primaryCode(cause)) {
    case FULL:
      return full()
    case BUSY:
    case LOCKED:
      return new RheoError(unavailable, `The ${what} ${file} is locked by another process.`, {
        retryable: true,
        hint: 'Wait for the other process, or stop it; nothing of the failed transaction was kept.',
        cause,
      })
    case CORRUPT:
    case NOTADB:
      return new RheoError('STORAGE_CORRUPT', `The ${what} ${file} is damaged, or is not a SQLite file.`, {
        hint: 'Move the file (and its -wal and -shm) away and restore it from a backup, or start a new one.',
        cause,
      })
    case IOERR:
    case CANTOPEN:
    case READONLY:
      return new RheoError(unavailable, `The ${what} ${file} cannot be opened, read or written.`, {
        hint: 'Check that its directory exists, that this user may write there, and that the disk is sound.',
        cause,
      })
    default:
      return cause
  }
}
