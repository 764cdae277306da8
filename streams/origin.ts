import type { Origin } from '../processors/step.ts'

/** Origins are for people: a record's way is cut off here, whatever loops it went through. */
const MOST_HOPS = 16

/** The same origin one stage further. Entries of one record, and records that arrived together, share one object. */
export class OriginTrail {
  readonly #stage: string
  #from: Origin | null = null
  #derived: Origin | null = null
  #takenMs = 0

  constructor(stage: string) {
    this.#stage = stage
  }

  /** @param takenMs when the stage took the batch from its topic, processing time. */
  after(origin: Origin | null, takenMs: number): Origin | null {
    if (origin === null) return null
    if (origin !== this.#from || takenMs !== this.#takenMs) {
      this.#from = origin
      this.#takenMs = takenMs
      const hops = origin.hops.length < MOST_HOPS ? [...origin.hops, { stage: this.#stage, takenMs }] : origin.hops
      this.#derived = { ...origin, hops }
    }
    return this.#derived
  }
}

/** `customerId=3, deviceId=2, score=1`: milliseconds from one stage's taking of the record to the next one's, the first since it arrived. */
export function latencyPerStage({ arrivedMs, hops }: Origin): string {
  let beforeMs = arrivedMs
  return hops
    .map(({ stage, takenMs }) => {
      const ms = Math.round(takenMs - beforeMs)
      beforeMs = takenMs
      return `${stage}=${ms}`
    })
    .join(', ')
}
