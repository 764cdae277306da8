import { RheoError } from '../../schemas/errors.ts'
import type { Encoded } from './kafka-produce-request.ts'

/** Where a broker listens. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** A request of Kafka's protocol, of a version without tagged fields, and how its answer is read. kafkajs has them in this shape. */
export interface KafkaRequest<Answer> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<Pick<Encoded, 'buffer'>>
  }
  readonly response: {
    decode(bytes: Buffer): Promise<object>
    /** Throws where the broker refused. */
    parse(decoded: object): Promise<Answer>
  }
}

/**
 * Connections to brokers: all that the event log asks of a Kafka client to produce, to fetch and to commit. A broker works
 * off the requests of a connection one after the other, so each producer and each reader has a link of its own.
 */
export interface KafkaLink {
  /** Sends a request once and gives its answer; connects first where it has to. Throws what `kafkaError` understands. */
  send<Answer>(to: BrokerAddress, request: KafkaRequest<Answer>): Promise<Answer>
  /** What is under way fails. */
  close(): Promise<void>
}

/** One opening or open connection per broker, made when it is asked for. */
export class Connections<Connection> {
  readonly #open = new Map<string, Promise<Connection>>()
  readonly #connect: (to: BrokerAddress) => Promise<Connection>
  readonly #isUsable: (connection: Connection) => boolean
  readonly #disconnect: (connection: Connection) => Promise<void>
  #isClosed = false

  constructor(
    connect: (to: BrokerAddress) => Promise<Connection>,
    isUsable: (connection: Connection) => boolean,
    disconnect: (connection: Connection) => Promise<void>,
  ) {
    this.#connect = connect
    this.#isUsable = isUsable
    this.#disconnect = disconnect
  }

  async to(address: BrokerAddress): Promise<Connection> {
    if (this.#isClosed) throw new RheoError('LOG_UNAVAILABLE', 'The connections to Kafka were closed.')
    const name = `${address.host}:${address.port}`
    const known = this.#open.get(name)
    if (known !== undefined) {
      const connection = await known
      if (this.#isUsable(connection)) return connection
      if (this.#open.get(name) === known) {
        this.#open.delete(name)
        void this.#disconnect(connection)
      }
    }
    let opening = this.#open.get(name)
    if (opening === undefined) {
      opening = this.#connect(address)
      this.#open.set(name, opening)
      const begun = opening
      opening.catch(() => {
        if (this.#open.get(name) === begun) this.#open.delete(name)
      })
    }
    return opening
  }

  /** Those still opening are closed, too; none is opened any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    const open = [...this.#open.values()]
    this.#open.clear()
    await Promise.allSettled(open.map((opening) => opening.then(this.#disconnect)))
  }
}
