import { type KafkaCluster, NO_LEADER } from './kafka-cluster.ts'
import { kafkaRefusal, kafkaTypeOf } from './kafka-errors.ts'
import type { BrokerAddress, KafkaLink } from './kafka-link.ts'
import { patiently } from './kafka-patience.ts'
import type { ProduceData } from './kafka-produce-request.ts'
import { produceRequest } from './kafka-requests.ts'
import type { Send, SentBatch } from './kafka-sends.ts'

/** A broker waits so long for its followers. */
export const REPLICATED_WITHIN_MS = 30_000
const ALL_IN_SYNC = -1
const SEQUENCES = 2 ** 31
/** Why a broker has not appended a batch, nor will. */
const NOT_TAKEN = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'NOT_ENOUGH_REPLICAS',
])

type Who = Pick<ProduceData, 'transactionalId' | 'producerId' | 'producerEpoch'>

/** A producer's id and epoch, and how many records of it each partition has: brokers tell repetitions by that. */
export class ProducerSession {
  readonly link: KafkaLink
  readonly #cluster: KafkaCluster
  readonly #who: Who
  readonly #sequences = new Map<string, number>()

  constructor(cluster: KafkaCluster, link: KafkaLink, who: Who) {
    this.#cluster = cluster
    this.link = link
    this.#who = who
  }

  /**
   * Sends the batches to the leaders of their partitions; again only what they certainly have not taken, as where a
   * partition has just moved. Where it throws, some may have been taken.
   */
  async produce(call: Send): Promise<SentBatch[]> {
    const taken: SentBatch[] = []
    let left = call
    await patiently(
      async () => {
        const sent = [...(await this.#byLeader(left))].map(([leader, pieces]) => this.#to(leader, pieces))
        const answers = (await Promise.all(sent)).flat()
        const refused = answers.filter(({ errorCode }) => errorCode !== 0)
        for (const each of answers) if (each.errorCode === 0) taken.push(each)
        left = left.filter((piece) => refused.some(({ topic, partition }) => isOf(piece, topic, partition)))
        if (refused.length > 0) throw kafkaRefusal(refused[0]!.errorCode)
      },
      (failure) => {
        this.#cluster.forgetLeaders()
        return NOT_TAKEN.has(kafkaTypeOf(failure) ?? '')
      },
    )
    for (const { topic, partition, messages } of call) {
      const name = `${topic}/${partition}`
      this.#sequences.set(name, ((this.#sequences.get(name) ?? 0) + messages.length) % SEQUENCES)
    }
    return taken
  }

  async #byLeader(call: Send): Promise<Map<BrokerAddress, Send>> {
    const unknown = call.filter(({ topic, partition }) => this.#cluster.leaderOf(topic, partition) === undefined)
    if (unknown.length > 0) await this.#cluster.learn(unknown.map(({ topic }) => topic))
    return Map.groupBy(call, ({ topic, partition }) => {
      const leader = this.#cluster.leaderOf(topic, partition)
      if (leader === undefined) throw kafkaRefusal(NO_LEADER)
      return leader
    })
  }

  async #to(leader: BrokerAddress, pieces: Send): Promise<(SentBatch & { readonly errorCode: number })[]> {
    const topicData = [...Map.groupBy(pieces, ({ topic }) => topic)].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition, messages }) => ({
        partition,
        messages,
        firstSequence: this.#sequences.get(`${topic}/${partition}`) ?? 0,
      })),
    }))
    const request = produceRequest({ acks: ALL_IN_SYNC, timeout: REPLICATED_WITHIN_MS, ...this.#who, topicData })
    const { topics } = await this.link.send(leader, request)
    return topics.flatMap(({ topicName: topic, partitions }) =>
      partitions.map(({ baseOffset, ...each }) => ({ topic, ...each, baseOffset: BigInt(baseOffset) })),
    )
  }
}

function isOf(piece: Send[number], topic: string, partition: number): boolean {
  return piece.topic === topic && piece.partition === partition
}
