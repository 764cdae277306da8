import type { TaskWriter, Transaction } from './event-log.ts'

/**
 * A task's writer that can hold a transaction back for the next one to take along: what a round has folded and a part of
 * its state then become one commit where commits are dear.
 */
export class JointWriter implements TaskWriter {
  readonly #writer: TaskWriter
  #held: Transaction | null = null

  constructor(writer: TaskWriter) {
    this.#writer = writer
  }

  committed(topic: string, partition: number): ReturnType<TaskWriter['committed']> {
    return this.#writer.committed(topic, partition)
  }

  /** Holds a transaction back. One at a time. */
  hold(transaction: Transaction): void {
    if (this.#held !== null) throw new Error('the transaction held back before was not committed')
    this.#held = transaction
  }

  /** Commits what is still held back. */
  async release(): Promise<void> {
    if (this.#held !== null) await this.commit({ appends: [], positions: [] })
  }

  commit(transaction: Transaction): ReturnType<TaskWriter['commit']> {
    const held = this.#held
    if (held === null) return this.#writer.commit(transaction)
    this.#held = null
    return this.#writer.commit({
      appends: [...held.appends, ...transaction.appends],
      positions: [...held.positions, ...transaction.positions],
    })
  }
}
