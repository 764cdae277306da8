import type { Connection, ConnectionOptions } from '@platformatic/kafka'
import { RheoError } from '../../schemas/errors.ts'
import { type BrokerAddress, Connections, type KafkaLink } from './kafka-link.ts'

type Package = typeof import('@platformatic/kafka')

let loading: Promise<Package> | null = null

/** Throws CONFIG_INVALID where the package, which is optional, is not installed. */
function load(): Promise<Package> {
  loading ??= import('@platformatic/kafka').catch((cause: unknown) => {
    loading = null
    throw new RheoError('CONFIG_INVALID', 'The Kafka client platformatic cannot be loaded.', {
      cause,
      hint: 'Install it (npm install @platformatic/kafka@2.12.1), or take the client kafkajs.',
    })
  })
  return loading
}

/** Connections by @platformatic/kafka: of that package only these, and none of its clients, which repeat what fails. */
export function platformaticLink(clientId: string, options: ConnectionOptions): KafkaLink {
  const open = async ({ host, port }: BrokerAddress): Promise<Connection> => {
    const { Connection } = await load()
    const connection = new Connection(clientId, options)
    // What is under way is told as well.
    connection.on('error', () => undefined)
    await connection.connect(host, port)
    return connection
  }
  const connections = new Connections<Connection>(
    open,
    (connection) => connection.isConnected(),
    (connection) => connection.close(),
  )
  return {
    async send(to, { request, response }) {
      const connection = await connections.to(to)
      const { buffer } = await request.encode()
      const { Writer } = await load()
      const answer = await new Promise<Buffer>((resolve, reject) => {
        connection.send<Buffer>(
          request.apiKey,
          request.apiVersion,
          () => Writer.create().append(buffer),
          (_id, _key, _version, reader) => reader.buffer.buffer,
          false,
          false,
          (error, bytes) => {
            if (error === null) return resolve(bytes!)
            // After a request that took too long it would take no further answer in.
            connection.close(() => undefined)
            reject(error)
          },
        )
      })
      return response.parse(await response.decode(answer))
    },
    close: () => connections.close(),
  }
}
