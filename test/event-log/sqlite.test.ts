import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { describeEventLog } from './contract.ts'

describeEventLog('sqlite', 'several handles', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-log-'))
  const handles: EventLog[] = []
  const another = async () => {
    const log = openSqliteLog(join(directory, 'log.db'))
    handles.push(log)
    return log
  }
  return {
    log: await another(),
    another,
    cleaning: 'when called',
    lazySizes: 'counted',
    async close() {
      for (const log of handles) await log.close()
      rmSync(directory, { recursive: true })
    },
  }
})
