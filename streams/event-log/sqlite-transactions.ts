import { RheoError } from '../../schemas/errors.ts'
import type { SqliteFile } from './sqlite-file.ts'
import { createTogether, type Together } from './together.ts'

export interface SqliteTransactions {
  /** Runs `work` in a write transaction: its own, or the one of the running `together`. Translates errors. */
  write<T>(work: () => T): T
  /** Runs a read, translating errors. */
  read<T>(work: () => T): T
  readonly together: Together
  /** Counts transactions: what was checked or cached under the same number still holds. */
  serial(): number
  isOpen(): boolean
}

export interface TransactionEvents {
  /** Another process has written since our last transaction: what is cached may be wrong. */
  changedOutside(): void
  /** The transaction is about to be committed: the last moment to write what was put off. */
  committing(): void
  committed(): void
  /** Everything since the begin is undone, in the file. */
  rolledBack(): void
}

/**
 * Write transactions over one connection. They begin with BEGIN IMMEDIATE, so that a transaction that has read can
 * always write; in a `together` the first write begins it, so a bracket that only reads locks nothing.
 */
export function createTransactions(sqlite: SqliteFile, events: TransactionEvents): SqliteTransactions {
  const { db } = sqlite
  const beginNow = db.prepare('BEGIN IMMEDIATE')
  const commitNow = db.prepare('COMMIT')
  let seenVersion = sqlite.dataVersion()
  let serial = 0

  const begin = () => {
    if (db.isTransaction) return
    beginNow.run()
    serial += 1
    const version = sqlite.dataVersion()
    if (version === seenVersion) return
    seenVersion = version
    events.changedOutside()
  }

  const rollback = () => {
    serial += 1
    events.rolledBack()
    sqlite.rollback()
  }

  const commit = () => {
    if (!db.isTransaction) return
    try {
      events.committing()
      commitNow.run()
    } catch (error) {
      rollback()
      throw sqlite.translate(error)
    }
    events.committed()
  }

  const together = createTogether((how) => (how === 'keep' ? commit() : rollback()))

  const write = <T>(work: () => T): T => {
    if (together.isRunning()) {
      try {
        begin()
        return work()
      } catch (cause) {
        // A refusal came before the first change, so the bracket may go on; after anything else it cannot.
        const error = sqlite.translate(cause)
        if (!(cause instanceof RheoError)) together.spoil(error)
        throw error
      }
    }
    let result: T
    try {
      begin()
      result = work()
    } catch (error) {
      rollback()
      throw sqlite.translate(error)
    }
    commit()
    return result
  }

  return {
    write,
    together,
    read(work) {
      try {
        return work()
      } catch (error) {
        throw sqlite.translate(error)
      }
    },
    serial: () => serial,
    isOpen: () => db.isTransaction,
  }
}
