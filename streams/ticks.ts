import type { Guard } from './roster.ts'
import type { Task } from './run-task.ts'

/** When and how far event time goes on although no records come. */
export interface Idleness {
  /** Processing time without a record on a source partition until it counts as idle. */
  readonly afterMs: number
  /** How far behind the present event time then stays: what an outage of the source may deliver late. */
  readonly allowanceMs: number
}

/** The tasks are looked at this often, processing time. */
const LOOK_EVERY_MS = 1_000

interface Seen {
  records: number
  sinceMs: number
}

/**
 * Ticks of the clock, for live runs alone. Event time comes with records; where none come, label horizons would never
 * conclude, and a partition that nobody writes to would hold up all others.
 *
 * A partition that has been idle for `afterMs` goes on with the clock: its watermark becomes the present, less what its
 * stream was behind the present when its last record came, less the allowance. So a history that somebody plays into a
 * live run goes on at its own pace and does not jump to today. A partition that this run knows no pace of goes as far as
 * the slowest of the others.
 *
 * A tick is an entry on the topics of the first stages, in one transaction like any other commit: whoever reads them again
 * meets the same ticks at the same places. Replays make none: their clock is the log's.
 */
export class Ticker {
  readonly #tasks: readonly Task[]
  readonly #clock: () => number
  readonly #idleness: Idleness
  readonly #everyMs: number
  readonly #guard: Guard
  readonly #seen: readonly Seen[]
  #lookedMs: number

  /**
   * @param clock processing time, ms since 1970. @param everyMs event time between two ticks at least.
   * @param guard runs what a task does, unless another process has taken it.
   */
  constructor(tasks: readonly Task[], clock: () => number, idleness: Idleness, everyMs: number, guard: Guard) {
    this.#guard = guard
    this.#tasks = tasks
    this.#clock = clock
    this.#idleness = idleness
    this.#everyMs = everyMs
    this.#lookedMs = clock()
    this.#seen = tasks.map(({ sourceProgress }) => ({ records: sourceProgress.records, sinceMs: this.#lookedMs }))
  }

  /** Commits the ticks that are due; returns how many. */
  async advance(): Promise<number> {
    const nowMs = this.#clock()
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return 0
    this.#lookedMs = nowMs
    let ticks = 0
    for (let i = 0; i < this.#tasks.length; i++) {
      const task = this.#tasks[i]!
      const seen = this.#seen[i]!
      const { records, watermarkMs } = task.sourceProgress
      if (records !== seen.records) Object.assign(seen, { records, sinceMs: nowMs })
      if (nowMs - seen.sinceMs < this.#idleness.afterMs) continue
      const dueMs = this.#dueMs(task, nowMs)
      if (dueMs === null || dueMs - watermarkMs < this.#everyMs) continue
      await this.#guard(task, () => task.tick(dueMs))
      ticks++
    }
    return ticks
  }

  #dueMs(task: Task, nowMs: number): number | null {
    const { behindMs } = task.sourceProgress
    if (behindMs !== null) return nowMs - behindMs - this.#idleness.allowanceMs
    const others = this.#tasks.filter((other) => other !== task && other.sourceProgress.records > 0)
    if (others.length === 0) return null
    return Math.min(...others.map(({ sourceProgress }) => sourceProgress.watermarkMs))
  }
}
