import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'
import { Connections, type KafkaLink, type KafkaRequest } from './kafka-link.ts'

/** kafkajs's connection to a broker, below its public surface: there it makes no difference between a client's uses. */
interface Broker {
  readonly connectionPool: {
    send<Answer>(request: KafkaRequest<Answer>): Promise<Answer>
    map(work: (connection: { rejectRequests(error: Error): void }) => void): void
  }
  connect(): Promise<void>
  isConnected(): boolean
  disconnect(): Promise<void>
}
interface Cluster {
  readonly rootLogger: unknown
  readonly connectionPoolBuilder: { build(to: { host: string; port: number }): Promise<unknown> }
  readonly brokerPool: { createBroker(options: object): Broker }
}

const require = createRequire(import.meta.url)
const { KafkaJSConnectionClosedError } = require('kafkajs/src/errors') as {
  readonly KafkaJSConnectionClosedError: new (text: string) => Error
}

/** Connections by kafkajs 2.2.4. */
export function kafkajsLink(kafka: Kafka): KafkaLink {
  const createCluster = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )!
  const cluster = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[createCluster]!({})
  const connections = new Connections<Broker>(
    async (to) => {
      const connectionPool = await cluster.connectionPoolBuilder.build(to)
      const broker = cluster.brokerPool.createBroker({ connectionPool, logger: cluster.rootLogger })
      try {
        await broker.connect()
      } catch (error) {
        void broker.disconnect()
        throw error
      }
      return broker
    },
    (broker) => broker.isConnected(),
    async (broker) => {
      const closed = new KafkaJSConnectionClosedError('Closed connection')
      broker.connectionPool.map((connection) => connection.rejectRequests(closed))
      await broker.disconnect()
    },
  )
  return {
    async send(to, request) {
      return (await connections.to(to)).connectionPool.send(request)
    },
    close: () => connections.close(),
  }
}
