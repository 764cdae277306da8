import { kafkaRefusal } from './kafka-errors.ts'
import type { BrokerAddress, KafkaLink, KafkaRequest } from './kafka-link.ts'
import { type CoordinatorKind, findCoordinatorRequest, metadataRequest } from './kafka-requests.ts'

/** LEADER_NOT_AVAILABLE */
export const NO_LEADER = 5

/** Who leads the partitions of topics and who coordinates groups and transactions, as the brokers last said. */
export class KafkaCluster {
  readonly #openLink: () => KafkaLink
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #link: KafkaLink
  /** Those that were opened and not closed. */
  readonly #links = new Set<KafkaLink>()
  #brokers: readonly BrokerAddress[]
  #leaders = new Map<string, ReadonlyMap<number, BrokerAddress>>()
  #isClosed = false

  /** `brokers`: `host:port` of some of them. */
  constructor(openLink: () => KafkaLink, brokers: readonly string[]) {
    this.#openLink = openLink
    this.#bootstrap = brokers.map((each) => {
      const at = each.lastIndexOf(':')
      return { host: each.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(each.slice(at + 1)) }
    })
    this.#brokers = this.#bootstrap
    this.#link = this.openLink()
  }

  /** Connections of a producer's or reader's own, which closes them. */
  openLink(): KafkaLink {
    const link = this.#openLink()
    this.#links.add(link)
    if (this.#isClosed) void link.close()
    return {
      send: (to, request) => link.send(to, request),
      close: () => {
        this.#links.delete(link)
        return link.close()
      },
    }
  }

  /** undefined: not known, so the topic has to be learnt of. */
  leaderOf(topic: string, partition: number): BrokerAddress | undefined {
    return this.#leaders.get(topic)?.get(partition)
  }

  /** Asks about the topics' leaders. Throws where one of them cannot be told of, having learnt of the others. */
  async learn(topics: readonly string[]): Promise<void> {
    const { brokers, topicMetadata } = await this.ask(metadataRequest([...new Set(topics)]))
    if (brokers.length > 0) this.#brokers = brokers
    const byId = new Map(brokers.map((broker) => [broker.nodeId, broker]))
    let code = 0
    for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
      code ||= topicErrorCode
      const leaders = new Map<number, BrokerAddress>()
      for (const { partitionId, leader, partitionErrorCode } of partitionMetadata) {
        const broker = byId.get(leader)
        if (broker === undefined) code ||= partitionErrorCode || NO_LEADER
        else leaders.set(partitionId, broker)
      }
      this.#leaders.set(topic, leaders)
    }
    if (code !== 0) throw kafkaRefusal(code)
  }

  /** What was known of leaders may be wrong. */
  forgetLeaders(): void {
    this.#leaders = new Map()
  }

  async coordinator(kind: CoordinatorKind, name: string): Promise<BrokerAddress> {
    const request = findCoordinatorRequest({ groupId: name, coordinatorType: kind })
    return (await this.ask(request)).coordinator
  }

  /** Asks any broker: the first in line that answers. */
  async ask<Answer>(request: KafkaRequest<Answer>): Promise<Answer> {
    const inLine = [...this.#brokers, ...this.#bootstrap]
    let failure: unknown
    for (const [i, broker] of inLine.entries()) {
      if (inLine.findIndex(({ host, port }) => host === broker.host && port === broker.port) < i) continue
      try {
        return await this.#link.send(broker, request)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Closes all connections, also of a producer that is just being opened. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#links].map((link) => link.close()))
  }
}
