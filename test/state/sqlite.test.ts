import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { describeStateStore } from './contract.ts'

describeStateStore('sqlite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-state-'))
  const handles: StateStore[] = []
  const another = async () => {
    const store = openSqliteStateStore(join(directory, 'state.db'))
    handles.push(store)
    return store
  }
  return {
    store: await another(),
    another,
    async close() {
      for (const store of handles) await store.close()
      rmSync(directory, { recursive: true })
    },
  }
})
