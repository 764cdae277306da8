import { type Entry, FEEDBACK, PROGRESS } from '../processors/step.ts'
import { isIntakeChannel, stageOfChannel } from './watermark.ts'

const NEVER_MS = Number.NEGATIVE_INFINITY
const NO_BACKLOG_MS = Number.POSITIVE_INFINITY
/** By the topic's clock. A task that catches up says something every second or so; one that says nothing is down. */
const SILENT_MS = 5_000

/** What an upstream task has told about its progress. */
export interface ToldProgress {
  /** Everything that it will still send is later, event time in ms; Infinity: it has no backlog. */
  readonly progressMs: number
  /** How many backlogs it has heard of so far, its own included. */
  readonly backlogs: number
}

export const NOTHING_TOLD: ToldProgress = { progressMs: NO_BACKLOG_MS, backlogs: 0 }

/** An entry that waits, and its place in the order of event time. */
interface Waiting {
  readonly entry: Entry
  readonly orderMs: number
}

export interface SavedMerge {
  readonly told: readonly (readonly [channel: number, progressMs: string, backlogs: number])[]
  readonly latestMs: readonly (readonly [channel: number, latestMs: number])[]
  readonly waitingMs: readonly number[]
  readonly heardMs: readonly (readonly [channel: number, heardMs: number])[]
  readonly nowMs: number
  readonly risenMs: number
}

/**
 * Puts what several upstream tasks send to a stage into the order of event time while one of them works off a backlog, so
 * that features which meet here are what they would have been without it (all engines that take records as they come get
 * them wrong after an outage).
 *
 * A task with a backlog says so before the first entry of it, and after each commit how far its sources have been read.
 * What lies beyond the least such progress waits; when it has been reached, everything up to there follows by event time,
 * then channel, then place in the topic. Entries of one channel keep their order: one that is late is ordered by the
 * latest before it. So the order is a function of the topic alone, and without backlogs it is the topic's own.
 *
 * Whoever reads the sources speaks for himself: one that says nothing has no backlog. A stage hands on what its upstream
 * tasks tell it, so all tasks of one stage tell of the same backlogs; one that has not told of the newest yet is waited for.
 *
 * Nobody is waited for who has said nothing for five seconds, as the timestamps in the topic count them: a task that died in
 * a backlog must not hold up the others until it is back.
 */
export class ChannelMerge {
  readonly #channels: readonly number[]
  readonly #told = new Map<number, ToldProgress>()
  /** Per channel, the latest event time that it has sent in this backlog. */
  readonly #latestMs = new Map<number, number>()
  #leastMs = NO_BACKLOG_MS
  #backlogs = 0
  #waiting: Waiting[] = []
  /** The topic's clock, ms: the latest timestamp of its records so far. */
  #nowMs = NEVER_MS
  /** By that clock, when each channel said something last while a backlog was known of, and when the newest was heard of. */
  readonly #heardMs = new Map<number, number>()
  #risenMs = NEVER_MS

  /** @param channels of all upstream tasks. */
  constructor(channels: readonly number[]) {
    this.#channels = channels
  }

  /** What this stage has to tell the next. */
  get progress(): ToldProgress {
    return { progressMs: this.#leastMs, backlogs: this.#backlogs }
  }

  /** What `channel` told last. */
  progressOf(channel: number): ToldProgress {
    return this.#told.get(channel) ?? NOTHING_TOLD
  }

  get pending(): readonly Entry[] {
    return this.#waiting.map(({ entry }) => entry)
  }

  /**
   * Takes in the next entries of the topic, which were sent at `sentMs` (processing time); returns what can be folded now,
   * in its order.
   */
  take(entries: readonly Entry[], sentMs = NEVER_MS): readonly Entry[] {
    if (sentMs > this.#nowMs) this.#nowMs = sentMs
    if (this.#leastMs === NO_BACKLOG_MS && !entries.some(({ kind }) => kind === PROGRESS)) return entries
    const ready: Entry[] = []
    for (const entry of entries) {
      if (entry.channel !== FEEDBACK) this.#heardMs.set(entry.channel, this.#nowMs)
      if (entry.kind === PROGRESS) this.#advance(entry, ready)
      else if (entry.channel === FEEDBACK || this.#leastMs === NO_BACKLOG_MS) ready.push(entry)
      else this.#order(entry, ready)
    }
    if (this.#leastMs !== NO_BACKLOG_MS) this.#settle(ready)
    return ready
  }

  snapshot(): SavedMerge {
    return {
      // JSON knows no infinity.
      told: [...this.#told].map(([channel, { progressMs, backlogs }]) => [channel, String(progressMs), backlogs]),
      latestMs: [...this.#latestMs],
      waitingMs: this.#waiting.map(({ orderMs }) => orderMs),
      heardMs: [...this.#heardMs],
      nowMs: this.#nowMs,
      risenMs: this.#risenMs,
    }
  }

  restore(saved: SavedMerge, pending: readonly Entry[]): void {
    const { told, latestMs, waitingMs, heardMs } = saved
    // JSON makes null of what never was.
    this.#nowMs = saved.nowMs ?? NEVER_MS
    this.#risenMs = saved.risenMs ?? NEVER_MS
    for (const [channel, ms] of heardMs) this.#heardMs.set(channel, ms ?? NEVER_MS)
    for (const [channel, progressMs, backlogs] of told)
      this.#told.set(channel, { progressMs: Number(progressMs), backlogs })
    for (const [channel, ms] of latestMs) this.#latestMs.set(channel, ms)
    this.#waiting = pending.map((entry, i) => ({ entry, orderMs: waitingMs[i]! }))
    // None of them is new.
    this.#backlogs = Number.POSITIVE_INFINITY
    this.#sumUp()
  }

  #order(entry: Entry, ready: Entry[]): void {
    const { channel, eventTimeMs } = entry
    const orderMs = Math.max(this.#latestMs.get(channel) ?? NEVER_MS, eventTimeMs)
    this.#latestMs.set(channel, orderMs)
    if (orderMs <= this.#leastMs) ready.push(entry)
    else this.#waiting.push({ entry, orderMs })
  }

  #advance(entry: Entry, ready: Entry[]): void {
    this.#told.set(entry.channel, toldBy(entry))
    this.#settle(ready)
  }

  /** What no longer has to wait follows. */
  #settle(ready: Entry[]): void {
    const beforeMs = this.#leastMs
    this.#sumUp()
    if (this.#leastMs <= beforeMs) return
    if (this.#leastMs === NO_BACKLOG_MS) this.#latestMs.clear()
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting.sort((a, b) => a.orderMs - b.orderMs || a.entry.channel - b.entry.channel)
    const firstLater = waiting.findIndex(({ orderMs }) => orderMs > this.#leastMs)
    const count = firstLater < 0 ? waiting.length : firstLater
    for (let i = 0; i < count; i++) ready.push(waiting[i]!.entry)
    this.#waiting = waiting.slice(count)
  }

  #sumUp(): void {
    let own = 0
    /** Backlogs that the tasks of each upstream stage have heard of. */
    const heard = new Map<number, number>()
    for (const [channel, { backlogs }] of this.#told) {
      if (isIntakeChannel(channel)) own += backlogs
      else heard.set(stageOfChannel(channel), Math.max(heard.get(stageOfChannel(channel)) ?? 0, backlogs))
    }
    const known = own + [...heard.values()].reduce((sum, backlogs) => sum + backlogs, 0)
    if (known > this.#backlogs) this.#risenMs = this.#nowMs
    this.#backlogs = known
    let leastMs = NO_BACKLOG_MS
    for (const [channel, { progressMs }] of this.#told)
      if (!this.#isSilent(channel)) leastMs = Math.min(leastMs, progressMs)
    for (const channel of this.#channels) {
      if (isIntakeChannel(channel) || this.#isSilent(channel)) continue
      if (this.progressOf(channel).backlogs < (heard.get(stageOfChannel(channel)) ?? 0)) leastMs = NEVER_MS
    }
    this.#leastMs = leastMs
  }

  #isSilent(channel: number): boolean {
    return this.#nowMs - Math.max(this.#heardMs.get(channel) ?? NEVER_MS, this.#risenMs) > SILENT_MS
  }
}

/** What a PROGRESS entry says. */
export function toldBy({ eventTimeMs, key }: Entry): ToldProgress {
  return { progressMs: eventTimeMs, backlogs: Number(key) }
}
