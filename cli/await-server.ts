import { setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../schemas/errors.ts'

export interface Patience {
  /** Its abort ends the waiting. */
  readonly signal: AbortSignal
  /** Give up after so long; null: never. */
  readonly giveUpAfterMs: number | null
  /** When the work last got on, monotonic milliseconds: waiting counts from there. Default: it never did. */
  workedAtMs?(): number
  /** Called at every failure that may pass. */
  onWaiting(error: RheoError, waitedMs: number): void
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000

/**
 * Does `work` again and again while it fails with what may pass: a server that is not up yet. null when the signal
 * aborts. Throws at once what will not pass, such as a wrong password, and the last failure when patience ends.
 */
export async function untilThere<T>(work: () => Promise<T>, patience: Patience): Promise<T | null> {
  let waitingSinceMs = performance.now()
  for (let pauseMs = FIRST_PAUSE_MS; !patience.signal.aborted; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    let nextMs: number
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof RheoError) || !error.retryable) throw error
      const workedMs = patience.workedAtMs?.() ?? waitingSinceMs
      if (workedMs > waitingSinceMs) {
        waitingSinceMs = workedMs
        pauseMs = FIRST_PAUSE_MS
      }
      const waitedMs = performance.now() - waitingSinceMs
      const leftMs = (patience.giveUpAfterMs ?? Number.POSITIVE_INFINITY) - waitedMs
      // Timers may be a millisecond early.
      if (leftMs < 1) throw error
      patience.onWaiting(error, waitedMs)
      nextMs = Math.ceil(Math.min(pauseMs, leftMs))
    }
    await sleep(nextMs, undefined, { signal: patience.signal }).catch(() => undefined)
  }
  return null
}
