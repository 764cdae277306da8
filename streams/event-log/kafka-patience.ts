import { setTimeout as sleep } from 'node:timers/promises'
import { isTransient } from './kafka-errors.ts'

/** About as long as a broker takes to be replaced. */
const PATIENCE_MS = 14_000
const FIRST_PAUSE_MS = 3
const LONGEST_PAUSE_MS = 100

/** Asks again while brokers are moving or busy, for some seconds. `mayPass`: failures after which to ask again. */
export async function patiently<T>(
  ask: () => Promise<T>,
  mayPass: (failure: unknown) => boolean = isTransient,
): Promise<T> {
  const untilMs = performance.now() + PATIENCE_MS
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await ask()
    } catch (error) {
      if (!mayPass(error) || performance.now() > untilMs) throw error
      await sleep(pauseMs)
    }
  }
}
