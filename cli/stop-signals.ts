import { exitCodes } from './exit-codes.ts'
import type { WorkerLog } from './worker-log.ts'

export interface Stop {
  /** Aborts at the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal
  /** The process is done; whatever connection still lingers may not keep it. */
  done(): void
}

/** What a shell gives for a process that a signal ended. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const
const LINGER_MS = 2_000

/**
 * The first SIGTERM or SIGINT asks to drain, the second ends at once. A drain that takes longer than `drainMs` is ended
 * as by a crash: nothing is lost, the next worker folds again what was not flushed.
 */
export function catchStop(drainMs: number, log: WorkerLog): Stop {
  const stop = new AbortController()
  let overdue: NodeJS.Timeout | null = null
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (stop.signal.aborted) process.exit(SIGNAL_CODES[name])
    log.info({ signal: name, withinSeconds: drainMs / 1000 }, 'draining')
    stop.abort()
    overdue = setTimeout(() => {
      log.error(`not drained within ${drainMs / 1000} s: ended; the next worker goes on from the last commit`)
      process.exit(exitCodes.failed)
    }, drainMs)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: stop.signal,
    done() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
      if (overdue !== null) clearTimeout(overdue)
      setTimeout(() => process.exit(), LINGER_MS).unref()
    },
  }
}
