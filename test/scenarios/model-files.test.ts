import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { modelFilesContract } from './model-files-contract.ts'

describe('the files of models in the memory log', () => {
  modelFilesContract(async () => ({ log: createMemoryLog(), close: async () => undefined }))
})

describe('the files of models in the SQLite log', () => {
  modelFilesContract(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rheo-model-files-'))
    const log = openSqliteLog(join(directory, 'log.sqlite'))
    return {
      log,
      close: async () => {
        await log.close()
        rmSync(directory, { recursive: true })
      },
    }
  })
})
