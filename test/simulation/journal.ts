import type { Transaction } from '../../streams/event-log/event-log.ts'

/** One commit of a task, as it became readable. */
export interface Commit {
  readonly task: number
  readonly transaction: Transaction
  /** The task's clock while it folded. */
  readonly clockMs: number
}

/** All commits in the order in which the log took them: what an unbroken run has to follow to give the same bytes. */
export class Journal {
  readonly commits: Commit[] = []
  /** Commits inside a bracket that may still be undone. */
  #open: Commit[] | null = null

  add(commit: Commit): void {
    ;(this.#open ?? this.commits).push(commit)
  }

  open(): void {
    this.#open = []
  }

  keep(): void {
    this.commits.push(...(this.#open ?? []))
    this.#open = null
  }

  undo(): void {
    this.#open = null
  }
}
