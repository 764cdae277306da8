import { DatabaseSync } from 'node:sqlite'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

/** How often the write-ahead log is looked at, processing time. */
const EVERY_MS = 100
/** From so many pages (64 MiB) on the log is begun anew, which makes the writer wait for a moment. */
const RESTART_PAGES = 8_192
/** A restart that finds the file in use is put off to the next time. */
const RESTART_WAITS_MS = 20

/**
 * Copies a SQLite file's write-ahead log back into the file, in a thread of its own, so that no commit waits for it.
 * A failure ends the thread, not the writer: it checkpoints by itself where the log grows too long.
 */
export interface Checkpointer {
  close(): void
}

export function startCheckpointer(file: string): Checkpointer {
  const worker = new Worker(new URL(import.meta.url), { workerData: { checkpointFile: file } })
  worker.on('error', () => undefined)
  worker.unref()
  return {
    close() {
      void worker.terminate()
    },
  }
}

function checkpointForever(file: string): void {
  const db = new DatabaseSync(file, { timeout: RESTART_WAITS_MS })
  const passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  const restart = db.prepare('PRAGMA wal_checkpoint(RESTART)')
  setInterval(() => {
    const { log } = passive.get() as { log: number }
    if (log < RESTART_PAGES) return
    // What came in meanwhile, twice, unnoticed by the writer: so the restart has next to nothing left to do.
    passive.get()
    passive.get()
    restart.get()
  }, EVERY_MS)
}

if (!isMainThread && typeof workerData?.checkpointFile === 'string') checkpointForever(workerData.checkpointFile)
