import type { Guard } from './roster.ts'
import { flushPressure, HARD_PRESSED, PRESSED, type RoundFlushLimits, unflushedBytes } from './round-flush.ts'
import type { Task } from './run-task.ts'

/**
 * Flushes task after task while passes go on: a part begins between two passes, and the next ones do not wait for its end.
 * For a log that lets a task commit beside what all of them do together.
 */
export class FlushBeside {
  readonly #clock: () => number
  readonly #guard: Guard
  readonly #limits: RoundFlushLimits
  /** When a task's next flush is due. */
  readonly #dueMs = new WeakMap<Task, number>()
  #current: Task | null = null
  #running: readonly Task[] = []
  #part: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null
  #hasEnded = false

  /** @param clock processing time, ms. @param guard runs what a task does, unless another process has taken it. */
  constructor(clock: () => number, guard: Guard, limits: RoundFlushLimits) {
    this.#clock = clock
    this.#guard = guard
    this.#limits = limits
  }

  /**
   * Begins the next part where one is due and none is under way. Where more changes than can be stored, parts are larger, and
   * at last it waits for them to end. Returns whether a flush has ended since the last call; throws what a part threw.
   */
  async advance(tasks: readonly Task[]): Promise<boolean> {
    const bytes = this.#limits.partBytes * Math.min(flushPressure(tasks, this.#limits), PRESSED)
    this.#begin(tasks, bytes)
    // No more than there is: a task that another process has taken stays as it is.
    for (let parts = Math.ceil(unflushedBytes(tasks) / bytes); parts > 0 && this.#part !== null; parts--) {
      if (flushPressure(tasks, this.#limits) < HARD_PRESSED) break
      await this.#part
      this.#begin(tasks, bytes)
    }
    const hasEnded = this.#hasEnded
    this.#hasEnded = false
    return hasEnded
  }

  /** Resolves when no part is under way: before tasks are flushed otherwise, or leave. */
  async settled(): Promise<void> {
    await this.#part
    this.#throwFailure()
  }

  #begin(tasks: readonly Task[], bytes: number): void {
    this.#throwFailure()
    this.#running = tasks
    if (this.#part !== null) return
    const task = this.#next(tasks)
    if (task === null) return
    this.#current = task
    this.#part = this.#write(task, bytes).then(
      () => {
        this.#part = null
      },
      (error: unknown) => {
        this.#part = null
        // Nobody asks about tasks that have left.
        if (this.#running.includes(task)) this.#failure = { error }
      },
    )
  }

  async #write(task: Task, bytes: number): Promise<void> {
    const hasMore = await this.#guard(task, () => task.flushPart(bytes))
    if (hasMore === true || this.#current !== task) return
    this.#current = null
    this.#dueMs.set(task, this.#clock() + this.#limits.everyMs)
    this.#hasEnded = true
  }

  #next(tasks: readonly Task[]): Task | null {
    if (this.#current !== null && tasks.includes(this.#current)) return this.#current
    const nowMs = this.#clock()
    const isPressed = flushPressure(tasks, this.#limits) > 1
    let next: Task | null = null
    for (const task of tasks) {
      if (!this.#dueMs.has(task)) this.#dueMs.set(task, nowMs + this.#limits.everyMs)
      if (next === null || this.#dueMs.get(task)! < this.#dueMs.get(next)!) next = task
    }
    return next !== null && (isPressed || this.#dueMs.get(next)! <= nowMs) ? next : null
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure.error
  }
}
