import type { KafkaCluster } from './kafka-cluster.ts'
import { TransactionalProducer } from './kafka-producer.ts'

const TIMEOUT_MS = 10_000

/**
 * The right to commit for all tasks of a group at once: a transactional id beside those of the tasks. Whoever acquires one
 * task takes this id over, too, so that nobody commits for it who held them all before.
 */
export class Parting {
  readonly #cluster: KafkaCluster
  /** Per group: takings-over under way, and those that begin after them. */
  readonly #running = new Map<string, Promise<void>>()
  readonly #queued = new Map<string, Promise<void>>()

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  /** Fences whoever holds the right. One taking-over serves all who asked before it began. */
  of(group: string): Promise<void> {
    const running = this.#running.get(group)
    if (running === undefined) return this.#begin(group)
    let queued = this.#queued.get(group)
    if (queued === undefined) {
      queued = running
        .catch(() => undefined)
        .then(() => {
          this.#queued.delete(group)
          return this.#begin(group)
        })
      this.#queued.set(group, queued)
    }
    return queued
  }

  /** Fences whoever holds the right, and takes it. */
  take(group: string, timeoutMs: number): Promise<TransactionalProducer> {
    return TransactionalProducer.open(this.#cluster, `${group}-all`, timeoutMs)
  }

  #begin(group: string): Promise<void> {
    const begun = this.take(group, TIMEOUT_MS)
      .then((producer) => producer.close())
      .finally(() => this.#running.delete(group))
    this.#running.set(group, begun)
    return begun
  }
}
