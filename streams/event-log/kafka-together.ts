import { AsyncLocalStorage } from 'node:async_hooks'
import type { MaybePromise } from './event-log.ts'
import type { UnitedTasks } from './kafka-united.ts'
import type { KafkaWriter } from './kafka-writer.ts'

/**
 * `EventLog.together` on Kafka: each task's commits inside become one Kafka transaction, ended when the work ends; those
 * of united tasks (kafka-united.ts) one in all. Inside is what the work calls, whatever else goes on at the same time.
 *
 * Kafka has no transaction over several transactional ids, so tasks are durable one by one: where the process dies
 * between two of them, one has happened and the other has not. Each is whole, with its own positions, so nothing is lost
 * or doubled. Records that were sent inside are readable only afterwards.
 */
export class KafkaTogether {
  readonly #inside = new AsyncLocalStorage<true>()
  #depth = 0
  /** The union that the bracket began with. */
  #union: UnitedTasks | null = null
  #spoiled: { readonly error: unknown } | null = null
  #writers = new Set<KafkaWriter>()
  readonly #endAppends: (how: 'commit' | 'abort') => Promise<void>
  readonly #united: () => UnitedTasks | null

  constructor(endAppends: (how: 'commit' | 'abort') => Promise<void>, united: () => UnitedTasks | null) {
    this.#endAppends = endAppends
    this.#united = united
  }

  /** The caller is inside a bracket that has not ended. */
  get isInside(): boolean {
    return this.#depth > 0 && this.#inside.getStore() === true
  }

  /** The union whose bracket the caller is inside. */
  get union(): UnitedTasks | null {
    return this.isInside ? this.#union : null
  }

  /** The writer's commit waits for the end, where a bracket is open. */
  joins(writer: KafkaWriter): boolean {
    if (!this.isInside) return false
    this.#writers.add(writer)
    return true
  }

  spoil(error: unknown): void {
    if (this.isInside) this.#spoiled ??= { error }
  }

  async run<T>(work: () => MaybePromise<T>): Promise<T> {
    if (this.#depth === 0) this.#union = this.#united()
    this.#depth += 1
    let result: T
    try {
      result = await this.#inside.run(true, work)
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
      const ends = await Promise.allSettled([
        this.#endAppends(how),
        this.#union?.end(how),
        ...[...writers].map((writer) => writer.end(how)),
      ])
      if (spoiled === null) for (const end of ends) if (end.status === 'rejected') throw end.reason
    }
    if (spoiled !== null) throw spoiled.error
  }
}
