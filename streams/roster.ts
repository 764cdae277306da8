import { RheoError } from '../schemas/errors.ts'
import type { MembershipListener } from './membership.ts'
import type { Task } from './run-task.ts'

/** How long a task whose commit was refused is left to the process that took it, unless the membership says more, processing time. */
const REFUSED_MS = 10_000

/** Runs what a task does. null: another process has taken the task over, and the roster has dropped it. */
export type Guard = <T>(task: Task, work: () => Promise<T>) => Promise<T | null>

interface Change {
  readonly kind: 'assigned' | 'revoked'
  readonly numbers: readonly number[]
  done(): void
  failed(error: unknown): void
}

/**
 * The tasks that a process runs, as its membership gives and takes them. Changes wait until `settle` is called, between
 * two passes, so that no task goes in the middle of a commit.
 */
export class Roster implements MembershipListener {
  readonly #start: (number: number) => Promise<Task>
  readonly #clock: () => number
  readonly #isShared: boolean
  #tasks: readonly Task[] = []
  #changes: Change[] = []
  /** Tasks of ours that do not run, with the time from which on they are started. */
  readonly #waiting = new Map<number, number>()
  #failure: { readonly error: unknown } | null = null
  #hasEnded = false
  #wake: (() => void) | null = null

  /**
   * @param start acquires a task and recovers it. @param clock processing time, ms.
   * @param owners 'several': a task that another process takes while it starts here is left to it, like one whose commit
   * is refused. 'one': that is an error.
   */
  constructor(start: (number: number) => Promise<Task>, clock: () => number, owners: 'one' | 'several') {
    this.#start = start
    this.#clock = clock
    this.#isShared = owners === 'several'
  }

  /** By number. A new list whenever it changes. */
  get tasks(): readonly Task[] {
    return this.#tasks
  }

  assigned(numbers: readonly number[]): Promise<void> {
    return this.#queue('assigned', numbers)
  }

  revoked(numbers: readonly number[]): Promise<void> {
    return this.#queue('revoked', numbers)
  }

  failed(error: unknown): void {
    this.#failure = { error }
    this.#wake?.()
  }

  /** The membership has said something that `settle` will carry out. */
  get isUnsettled(): boolean {
    return this.#changes.length > 0
  }

  /** Resolves when there is something to settle, or after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void> {
    if (this.#changes.length > 0 || this.#failure !== null) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#wake = wake
    })
  }

  /** Carries out what the membership has said. A task that goes is flushed first, so that its next owner has little to fold again. */
  async settle(): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error
    for (let change = this.#changes.shift(); change !== undefined; change = this.#changes.shift()) {
      try {
        if (change.kind === 'assigned') await this.#add(change.numbers)
        else await this.#remove(change.numbers)
        change.done()
      } catch (error) {
        if (change.kind === 'revoked' || !isRetryable(error)) change.failed(error)
        else change.done()
        throw error
      }
    }
    const nowMs = this.#clock()
    const due = [...this.#waiting].filter(([, untilMs]) => nowMs >= untilMs).map(([number]) => number)
    if (due.length > 0) await this.#add(due)
  }

  /** Nothing is settled any more: who leaves the membership must not wait for what it has just said, or yet says. */
  end(): void {
    this.#hasEnded = true
    for (const change of this.#changes) change.done()
    this.#changes = []
  }

  /** Throws away what is in memory: the next `settle` starts every task from its checkpoint, as after a crash. */
  forget(): void {
    for (const { number } of this.#tasks) this.#waiting.set(number, 0)
    this.#tasks = []
  }

  /** Another process has this task now; so it is dropped, and left alone for a while. */
  refuse(task: Task): void {
    this.#tasks = this.#tasks.filter((other) => other !== task)
    this.#waiting.set(task.number, this.#clock() + REFUSED_MS)
  }

  /** See `Guard`. Where this process is the only owner, that a task was taken is an error. */
  readonly guard: Guard = async (task, work) => {
    try {
      return await work()
    } catch (error) {
      if (!this.#isShared || !isFenced(error)) throw error
      this.refuse(task)
      return null
    }
  }

  #queue(kind: Change['kind'], numbers: readonly number[]): Promise<void> {
    if (this.#hasEnded) return Promise.resolve()
    return new Promise((done, failed) => {
      this.#changes.push({ kind, numbers, done, failed })
      this.#wake?.()
    })
  }

  /** Starts tasks side by side. Those that do not come up stay ours, and wait to be tried again. */
  async #add(numbers: readonly number[]): Promise<void> {
    const starts = await Promise.allSettled(numbers.map((number) => this.#start(number)))
    const started = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    const untilMs = this.#clock() + REFUSED_MS
    starts.forEach((start, i) => {
      const number = numbers[i]!
      if (start.status === 'fulfilled') this.#waiting.delete(number)
      else this.#waiting.set(number, this.#isShared && isFenced(start.reason) ? untilMs : 0)
    })
    this.#tasks = [...this.#tasks, ...started].sort((a, b) => a.number - b.number)
    const failure = starts.find((start) => start.status === 'rejected' && !(this.#isShared && isFenced(start.reason)))
    if (failure?.status === 'rejected') throw failure.reason
  }

  async #remove(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) this.#waiting.delete(number)
    const leaving = this.#tasks.filter((task) => numbers.includes(task.number))
    this.#tasks = this.#tasks.filter((task) => !numbers.includes(task.number))
    for (const task of leaving) {
      try {
        await task.flush()
      } catch (error) {
        // Its next owner has fenced it already, or will fold again what is not flushed: nothing is lost.
        if (!(error instanceof RheoError)) throw error
      }
    }
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof RheoError && error.retryable
}

function isFenced(error: unknown): boolean {
  return error instanceof RheoError && error.code === 'FENCED'
}
