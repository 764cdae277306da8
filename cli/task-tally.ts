import type { Task } from '../streams/run-task.ts'

/**
 * What tasks counted since this process runs them: a task that was restored brings the counts of all processes before.
 */
export class TaskTally {
  readonly #onCounted: (name: string, more: number) => void
  readonly #counted = new WeakMap<Task, Readonly<Record<string, number>>>()
  #tasks: readonly Task[] = []

  constructor(onCounted: (name: string, more: number) => void) {
    this.#onCounted = onCounted
  }

  get tasks(): readonly Task[] {
    return this.#tasks
  }

  /** These run now; what the former ones have counted is told first. */
  change(tasks: readonly Task[]): void {
    this.settle()
    for (const task of tasks) if (!this.#counted.has(task)) this.#counted.set(task, { ...task.counts })
    this.#tasks = tasks
  }

  /** Tells what was counted since the last call. */
  settle(): void {
    for (const task of this.#tasks) {
      const before = this.#counted.get(task) ?? {}
      for (const [name, count] of Object.entries(task.counts)) {
        const more = count - (before[name] ?? 0)
        if (more > 0) this.#onCounted(name, more)
      }
      this.#counted.set(task, { ...task.counts })
    }
  }
}
