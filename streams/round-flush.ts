import type { Task } from './run-task.ts'

export interface RoundFlushLimits {
  /** Processing time between the end of a task's flush and its next, ms. */
  readonly everyMs: number
  /** About what a part holds. */
  readonly partBytes: number
  /**
   * Where tasks have changed so many bytes of state since their last flushes, all of them flush, in parts several times as
   * large; so more comes in only as fast as it can be stored.
   */
  readonly mostBytes: number
}

export const PRESSED = 4
/** A part is then more than a round can change. */
export const HARD_PRESSED = 64

/** How many times as much is to be written as in calm times: more, the further these tasks' changes are ahead of their store. */
export function flushPressure(tasks: readonly Task[], { mostBytes }: RoundFlushLimits): number {
  const bytes = unflushedBytes(tasks)
  return bytes < mostBytes ? 1 : bytes < 2 * mostBytes ? PRESSED : HARD_PRESSED
}

export function unflushedBytes(tasks: readonly Task[]): number {
  return tasks.reduce((sum, task) => sum + task.unflushedBytes, 0)
}

/** Says which rounds take a part of their task's flush along (`Task.round`): one each, while a flush is under way. */
export class RoundFlush {
  readonly #clock: () => number
  readonly #limits: RoundFlushLimits
  /** When a task's next flush is due. */
  readonly #dueMs = new WeakMap<Task, number>()

  /** @param clock processing time, ms. */
  constructor(clock: () => number, limits: RoundFlushLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** For the next round of each of these tasks, how large a part it takes along; 0: none. */
  parts(tasks: readonly Task[]): readonly number[] {
    const nowMs = this.#clock()
    const { everyMs, partBytes } = this.#limits
    const pressed = flushPressure(tasks, this.#limits)
    return tasks.map((task) => {
      let dueMs = this.#dueMs.get(task)
      if (dueMs === undefined) {
        dueMs = nowMs + everyMs
        this.#dueMs.set(task, dueMs)
      }
      return task.isFlushing || nowMs >= dueMs || pressed > 1 ? partBytes * pressed : 0
    })
  }

  /** The rounds of these tasks have ended, each with the part that `parts` said. True when a flush has ended with one. */
  ended(tasks: readonly Task[], parts: readonly number[]): boolean {
    const done = tasks.filter((task, i) => parts[i]! > 0 && !task.isFlushing)
    for (const task of done) this.#dueMs.set(task, this.#clock() + this.#limits.everyMs)
    return done.length > 0
  }
}
