import type { Guard } from './roster.ts'
import type { Task } from './run-task.ts'

/**
 * State is written between passes, in parts, which take at most this share of the time while a flush is under way, and over
 * the long run no more than FLUSH_SHARE.
 */
const PART_SHARE = 0.25
const FLUSH_SHARE = 0.03
/** However long a flush takes, a restart has little more than this to fold again. */
const FLUSH_AT_LEAST_EVERY_MS = 60_000

/** Flushes task after task, in parts that leave most of the time to the passes between them. */
export class LiveFlush {
  readonly #tasks: () => readonly Task[]
  readonly #clock: () => number
  readonly #everyMs: number
  readonly #guard: Guard
  readonly #partBytes: number
  /** Tasks of the round under way that are still to be flushed; the first one's flush may be half done. */
  #queue: readonly Task[] = []
  /** Time that this round's parts have taken. */
  #spentMs = 0
  #nextMs: number

  /**
   * @param tasks those that run now. @param everyMs between the end of a round and the next. @param clock processing time, ms.
   * @param guard runs what a task does, unless another process has taken it. @param partBytes how much a part holds, about.
   */
  constructor(tasks: () => readonly Task[], clock: () => number, everyMs: number, guard: Guard, partBytes: number) {
    this.#partBytes = partBytes
    this.#tasks = tasks
    this.#guard = guard
    this.#clock = clock
    this.#everyMs = everyMs
    this.#nextMs = clock() + everyMs
  }

  /** The next round begins now, unless one is under way. */
  hurry(): void {
    if (this.#queue.length === 0) this.#nextMs = this.#clock()
  }

  /** Writes a part if one is due. True when all tasks have been flushed once more. */
  async advance(): Promise<boolean> {
    const startMs = this.#clock()
    if (startMs < this.#nextMs) return false
    const running = this.#tasks()
    if (this.#queue.length === 0) this.#queue = running
    this.#queue = this.#queue.filter((task) => running.includes(task))
    const [task] = this.#queue
    const hasMore = task !== undefined && (await this.#guard(task, () => task.flushPart(this.#partBytes))) === true
    if (!hasMore) this.#queue = this.#queue.slice(1)
    const endMs = this.#clock()
    this.#spentMs += endMs - startMs
    if (this.#queue.length > 0) {
      this.#nextMs = endMs + (endMs - startMs) * (1 / PART_SHARE - 1)
      return false
    }
    const sparingMs = Math.min(FLUSH_AT_LEAST_EVERY_MS, this.#spentMs / FLUSH_SHARE)
    this.#nextMs = endMs + Math.max(this.#everyMs, sparingMs)
    this.#spentMs = 0
    return true
  }
}
