import type { KafkaCluster } from './kafka-cluster.ts'
import { kafkaTypeOf } from './kafka-errors.ts'
import type { BrokerAddress, KafkaLink, KafkaRequest } from './kafka-link.ts'
import { patiently } from './kafka-patience.ts'
import type { CoordinatorKind } from './kafka-requests.ts'

/** The brokers that watch over a producer's transactions and over the groups whose positions it moves. */
export class Coordinators {
  readonly #cluster: KafkaCluster
  readonly #link: KafkaLink
  readonly #found = new Map<string, BrokerAddress>()

  constructor(cluster: KafkaCluster, link: KafkaLink) {
    this.#cluster = cluster
    this.#link = link
  }

  /** Asks until it gets an answer: for requests that may be repeated. */
  ask<Answer>(kind: CoordinatorKind, name: string, request: KafkaRequest<Answer>): Promise<Answer> {
    return patiently(() => this.askOnce(kind, name, request))
  }

  async askOnce<Answer>(kind: CoordinatorKind, name: string, request: KafkaRequest<Answer>): Promise<Answer> {
    const key = `${kind} ${name}`
    const broker = this.#found.get(key) ?? (await this.#cluster.coordinator(kind, name))
    this.#found.set(key, broker)
    try {
      return await this.#link.send(broker, request)
    } catch (error) {
      // The coordinator is right, and still busy with the last transaction.
      if (kafkaTypeOf(error) !== 'CONCURRENT_TRANSACTIONS') this.#found.delete(key)
      throw error
    }
  }
}
