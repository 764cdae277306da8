import { setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../../schemas/errors.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import type { PaymentSource } from '../servers/payment-source.ts'

const PAUSE_MS = 50
const RETRY_PAUSE_MS = 200

export interface Produced {
  readonly payments: number
  readonly labels: number
  /** Appends that failed, and were done again: a payment may stand twice in the topic and still has to have one score. */
  readonly repeated: number
}

/** Appends what falls due until `isEnough`. An append that fails is done again until it succeeds, as a producer would. */
export async function produce(log: EventLog, source: PaymentSource, isEnough: () => boolean): Promise<Produced> {
  let repeated = 0
  while (!isEnough()) {
    const { appends } = source.take(Date.now())
    for (let isSent = appends.length === 0; !isSent; ) {
      try {
        await log.append(appends)
        isSent = true
      } catch (error) {
        if (!(error instanceof RheoError) || !error.retryable) throw error
        repeated++
        await sleep(RETRY_PAUSE_MS)
      }
    }
    await sleep(PAUSE_MS)
  }
  return { payments: source.drawn, labels: source.labels, repeated }
}
