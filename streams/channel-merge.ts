import { type Entry, FEEDBACK, PROGRESS } from '../processors/step.ts'

/**
 * Puts what several upstream tasks send to a stage into the order of event time while one of them works off a backlog, so
 * that features which meet here are what they would have been without it (all engines that take records as they come get
 * them wrong after an outage).
 *
 * A task with a backlog announces after each commit how far its sources have been read. What lies beyond the least such
 * progress waits; when it has been reached, everything up to there follows by event time, then channel, then place in the
 * topic. A task without a backlog announces that once, and nobody waits for it. So the order is a function of the topic
 * alone, and without backlogs it is the topic's own.
 */
export class ChannelMerge {
  /** Per channel with a backlog, how far it has come; event time in ms. */
  readonly #progressMs = new Map<number, number>()
  #leastMs = Number.POSITIVE_INFINITY
  #pending: Entry[] = []

  /** Up to where everything has been folded; Infinity: there is no backlog. */
  get progressMs(): number {
    return this.#leastMs
  }

  /** Up to where `channel` has come; Infinity: it has no backlog. */
  progressOf(channel: number): number {
    return this.#progressMs.get(channel) ?? Number.POSITIVE_INFINITY
  }

  get pending(): readonly Entry[] {
    return this.#pending
  }

  /** Takes in the next entries of the topic; returns what can be folded now, in its order. */
  take(entries: readonly Entry[]): readonly Entry[] {
    if (this.#leastMs === Number.POSITIVE_INFINITY && !entries.some(({ kind }) => kind === PROGRESS)) return entries
    const ready: Entry[] = []
    for (const entry of entries) {
      if (entry.kind === PROGRESS) this.#advance(entry, ready)
      else if (entry.channel === FEEDBACK || entry.eventTimeMs <= this.#leastMs) ready.push(entry)
      else this.#pending.push(entry)
    }
    return ready
  }

  snapshot(): readonly (readonly [channel: number, progressMs: number])[] {
    return [...this.#progressMs]
  }

  restore(progress: ReturnType<ChannelMerge['snapshot']>, pending: readonly Entry[]): void {
    for (const [channel, progressMs] of progress) this.#progressMs.set(channel, progressMs)
    this.#leastMs = Math.min(...this.#progressMs.values())
    this.#pending = [...pending]
  }

  #advance({ channel, eventTimeMs }: Entry, ready: Entry[]): void {
    if (eventTimeMs === Number.POSITIVE_INFINITY) this.#progressMs.delete(channel)
    else this.#progressMs.set(channel, eventTimeMs)
    this.#leastMs = Math.min(...this.#progressMs.values())
    if (this.#pending.length === 0) return
    const pending = this.#pending.sort((a, b) => a.eventTimeMs - b.eventTimeMs || a.channel - b.channel)
    const firstLater = pending.findIndex((entry) => entry.eventTimeMs > this.#leastMs)
    const count = firstLater < 0 ? pending.length : firstLater
    for (let i = 0; i < count; i++) ready.push(pending[i]!)
    this.#pending = pending.slice(count)
  }
}
