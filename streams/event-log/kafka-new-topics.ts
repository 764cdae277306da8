import { setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../../schemas/errors.ts'

/** New topics are known to all brokers of a cluster, and have leaders, within so long; they are asked for so often. */
const KNOWN_WITHIN_MS = 15_000
const ASK_AGAIN_MS = 50

/**
 * Asks about topics that exist, but which this process or another may just have created: not every broker has heard of
 * those at once. `mayPass`: failures after which to ask again.
 */
export async function untilKnown<T>(ask: () => Promise<T>, mayPass: (failure: RheoError) => boolean): Promise<T> {
  for (const untilMs = performance.now() + KNOWN_WITHIN_MS; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof RheoError) || !mayPass(error) || performance.now() > untilMs) throw error
      await sleep(ASK_AGAIN_MS)
    }
  }
}
