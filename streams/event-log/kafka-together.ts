import type { MaybePromise } from './event-log.ts'
import type { KafkaWriter } from './kafka-writer.ts'

/**
 * `EventLog.together` on Kafka: each task's commits inside become one Kafka transaction, ended when the work ends.
 *
 * Kafka has no transaction over several transactional ids, so tasks are durable one by one: where the process dies
 * between two of them, one has happened and the other has not. Each is whole, with its own positions, so nothing is lost
 * or doubled. Records that were sent inside are readable only afterwards.
 */
export class KafkaTogether {
  #depth = 0
  #spoiled: { readonly error: unknown } | null = null
  #writers = new Set<KafkaWriter>()
  readonly #endAppends: (how: 'commit' | 'abort') => Promise<void>

  constructor(endAppends: (how: 'commit' | 'abort') => Promise<void>) {
    this.#endAppends = endAppends
  }

  get isRunning(): boolean {
    return this.#depth > 0
  }

  /** The writer's commit waits for the end, where a bracket is open. */
  joins(writer: KafkaWriter): boolean {
    if (this.#depth === 0) return false
    this.#writers.add(writer)
    return true
  }

  spoil(error: unknown): void {
    if (this.#depth > 0) this.#spoiled ??= { error }
  }

  async run<T>(work: () => MaybePromise<T>): Promise<T> {
    this.#depth += 1
    let result: T
    try {
      result = await work()
    } catch (error) {
      this.#spoiled ??= { error }
      await this.#close()
      throw error
    }
    await this.#close()
    return result
  }

  /** One bracket ends; the outermost ends everything, and tells what failed inside even when the work swallowed it. */
  async #close(): Promise<void> {
    this.#depth -= 1
    const spoiled = this.#spoiled
    if (this.#depth === 0) {
      const writers = this.#writers
      this.#writers = new Set()
      this.#spoiled = null
      const how = spoiled === null ? 'commit' : 'abort'
      const ends = await Promise.allSettled([this.#endAppends(how), ...[...writers].map((writer) => writer.end(how))])
      if (spoiled === null) for (const end of ends) if (end.status === 'rejected') throw end.reason
    }
    if (spoiled !== null) throw spoiled.error
  }
}
