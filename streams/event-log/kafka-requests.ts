import { createRequire } from 'node:module'
import type { Position } from './event-log.ts'
import type { BrokerAddress, KafkaRequest } from './kafka-link.ts'
import { encodeProduce, type ProduceData } from './kafka-produce-request.ts'

/**
 * The requests that the event log sends itself, as kafkajs 2.2.4 knows Kafka's protocol, whichever client's connection they
 * go over. Each in the newest version that kafkajs has: all of them without tagged fields, and all taken by Kafka 4.
 */
const require = createRequire(import.meta.url)

interface Protocol<Data, Answer> {
  protocol(of: { readonly version: number }): (data: Data) => KafkaRequest<Answer>
}

export function protocolOf<Data, Answer>(name: string, version: number): (data: Data) => KafkaRequest<Answer> {
  const { protocol } = require(`kafkajs/src/protocol/requests/${name}`) as Protocol<Data, Answer>
  return protocol({ version })
}

/** Who commits, as InitProducerId said. */
export interface Committer {
  readonly transactionalId: string
  readonly producerId: string
  readonly producerEpoch: number
}

interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface Metadata {
  readonly brokers: readonly ({ readonly nodeId: number } & BrokerAddress)[]
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number
    readonly topic: string
    readonly partitionMetadata: readonly {
      readonly partitionErrorCode: number
      readonly partitionId: number
      readonly leader: number
    }[]
  }[]
}

const metadata = protocolOf<{ topics: readonly string[]; allowAutoTopicCreation: false }, Metadata>('metadata', 6)

/** Topics and partitions that the broker cannot tell about have an error code; the request does not fail for them. */
export function metadataRequest(topics: readonly string[]): KafkaRequest<Metadata> {
  const { request, response } = metadata({ topics, allowAutoTopicCreation: false })
  return { request, response: { decode: response.decode, parse: async (decoded) => decoded as Metadata } }
}

export const findCoordinatorRequest = protocolOf<
  { groupId: string; coordinatorType: CoordinatorKind },
  { readonly coordinator: BrokerAddress }
>('findCoordinator', 1)

/** What a coordinator watches over, as the protocol counts it: groups or transactional ids. */
export type CoordinatorKind = 0 | 1
export const GROUP = 0
export const TRANSACTION = 1

export const initProducerIdRequest = protocolOf<
  { transactionalId: string | null; transactionTimeout: number },
  { readonly producerId: string; readonly producerEpoch: number }
>('initProducerId', 1)

export const addPartitionsRequest = protocolOf<Committer & { topics: readonly TopicPartitions[] }, object>(
  'addPartitionsToTxn',
  1,
)

export const addOffsetsRequest = protocolOf<Committer & { groupId: string }, object>('addOffsetsToTxn', 1)

export const endTransactionRequest = protocolOf<Committer & { transactionResult: boolean }, object>('endTxn', 1)

const txnOffsetCommit = protocolOf<
  Committer & {
    groupId: string
    topics: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[]
  },
  object
>('txnOffsetCommit', 1)

export function commitPositionsRequest(
  committer: Committer,
  groupId: string,
  positions: readonly Position[],
): KafkaRequest<object> {
  const topics = Map.groupBy(positions, ({ topic }) => topic)
  return txnOffsetCommit({
    ...committer,
    groupId,
    topics: [...topics].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition, next }) => ({ partition, offset: String(next) })),
    })),
  })
}

export interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string
    readonly partitions: readonly {
      readonly partition: number
      readonly errorCode: number
      readonly baseOffset: string
    }[]
  }[]
}

const produce = protocolOf<ProduceData, ProduceAnswer>('produce', 7)

/** Encoded by ourselves: see `encodeProduce`. A batch that was refused has an error code; the request does not fail for it. */
export function produceRequest(data: ProduceData): KafkaRequest<ProduceAnswer> {
  const { request, response } = produce(data)
  return {
    request: { ...request, encode: async () => encodeProduce(data) },
    response: { decode: response.decode, parse: async (decoded) => decoded as ProduceAnswer },
  }
}
