import type { Guard } from './roster.ts'
import type { Task } from './run-task.ts'

/**
 * State is written between passes, in parts, which take at most this share of the time while a flush is under way; over the
 * long run no more than `LiveFlushLimits.share`.
 */
const PART_SHARE = 0.25
/** However long a flush takes, a restart has little more than this to fold again. */
const FLUSH_AT_LEAST_EVERY_MS = 60_000

export interface LiveFlushLimits {
  /** Processing time between the end of a round and the next, ms. */
  readonly everyMs: number
  /** Of the time, 0 to 1, over the long run: longer rounds come more rarely. */
  readonly share: number
  /** About what a part holds. */
  readonly partBytes: number
  /**
   * Where tasks have changed so many bytes of state since their last flushes, parts follow each other without a pause; from twice as
   * many on, nothing else is done meanwhile, so that more comes in only as fast as it can be stored.
   */
  readonly mostBytes: number
}

/** Flushes task after task, in parts that leave most of the time to the passes between them. */
export class LiveFlush {
  readonly #tasks: () => readonly Task[]
  readonly #clock: () => number
  readonly #guard: Guard
  readonly #limits: LiveFlushLimits
  /** Tasks of the round under way that are still to be flushed; the first one's flush may be half done. */
  #queue: readonly Task[] = []
  /** Time that this round's parts have taken. */
  #spentMs = 0
  #nextMs: number

  /**
   * @param tasks those that run now. @param clock processing time, ms. @param guard runs what a task does, unless another
   * process has taken it.
   */
  constructor(tasks: () => readonly Task[], clock: () => number, guard: Guard, limits: LiveFlushLimits) {
    this.#tasks = tasks
    this.#clock = clock
    this.#guard = guard
    this.#limits = limits
    this.#nextMs = clock() + limits.everyMs
  }

  /** Writes a part if one is due, or more of them (`mostBytes`). True when all tasks have been flushed once more. */
  async advance(): Promise<boolean> {
    let isWhole = await this.#advance()
    while (this.#unflushedBytes() >= 2 * this.#limits.mostBytes) isWhole = (await this.#advance()) || isWhole
    return isWhole
  }

  async #advance(): Promise<boolean> {
    const startMs = this.#clock()
    const isPressed = this.#unflushedBytes() >= this.#limits.mostBytes
    if (startMs < this.#nextMs && !isPressed) return false
    const running = this.#tasks()
    if (this.#queue.length === 0) this.#queue = running
    this.#queue = this.#queue.filter((task) => running.includes(task))
    const [task] = this.#queue
    const hasMore =
      task !== undefined && (await this.#guard(task, () => task.flushPart(this.#limits.partBytes))) === true
    if (!hasMore) this.#queue = this.#queue.slice(1)
    const endMs = this.#clock()
    this.#spentMs += endMs - startMs
    if (this.#queue.length > 0) {
      this.#nextMs = isPressed ? endMs : endMs + (endMs - startMs) * (1 / PART_SHARE - 1)
      return false
    }
    const sparingMs = Math.min(FLUSH_AT_LEAST_EVERY_MS, this.#spentMs / this.#limits.share)
    this.#nextMs = endMs + Math.max(this.#limits.everyMs, sparingMs)
    this.#spentMs = 0
    return true
  }

  #unflushedBytes(): number {
    return this.#tasks().reduce((sum, task) => sum + task.unflushedBytes, 0)
  }
}
