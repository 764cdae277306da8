import type { DatabaseSync } from 'node:sqlite'
import { arrayRows } from '../event-log/sqlite-file.ts'

/** Rows looked at per put: the hand outruns growth, so expired state never outnumbers live state for long. */
const SWEPT_PER_PUT = 2
/** The hand moves once so many puts have come together: one range, instead of a few rows at a time. */
const PUTS_PER_SWEEP = 256

/**
 * A clock hand over the rows of one task, in key order: the longer its way, the more puts have paid for it. Call it
 * inside the transaction of a flush. An index on the expiry would cost more than the put itself, because nearly every
 * put moves the expiry.
 */
export function createSqliteSweep(db: DatabaseSync, taskId: number): (puts: number, watermarkMs: number) => void {
  const rowAfter = arrayRows(
    db.prepare(
      'SELECT tbl, key FROM state WHERE task_id = ? AND (tbl, key) > (?, ?) ORDER BY tbl, key LIMIT 1 OFFSET ?',
    ),
  )
  const removeRange = db.prepare(`DELETE FROM state
    WHERE task_id = ? AND (tbl, key) > (?, ?) AND (tbl, key) <= (?, ?) AND expires_at_ms < ?`)
  const removeRest = db.prepare('DELETE FROM state WHERE task_id = ? AND (tbl, key) > (?, ?) AND expires_at_ms < ?')
  let table = ''
  let key = ''
  let owed = 0

  return (puts, watermarkMs) => {
    owed += puts
    if (owed < PUTS_PER_SWEEP) return
    const until = rowAfter.get(taskId, table, key, owed * SWEPT_PER_PUT - 1) as unknown as [string, string] | undefined
    owed = 0
    if (until === undefined) {
      removeRest.run(taskId, table, key, watermarkMs)
      table = ''
      key = ''
      return
    }
    removeRange.run(taskId, table, key, until[0], until[1], watermarkMs)
    table = until[0]
    key = until[1]
  }
}
