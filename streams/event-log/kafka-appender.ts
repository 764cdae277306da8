import { randomUUID } from 'node:crypto'
import type { Kafka, Producer } from 'kafkajs'
import { idempotentProducer, TransactionalProducer } from './kafka-producer.ts'
import { type Sends, topicMessages } from './kafka-sends.ts'

/** A producer that dies in mid-transaction holds readers of its partitions up for so long. */
const TRANSACTION_TIMEOUT_MS = 10_000

/**
 * Appends outside any task. One batch of one partition is atomic by itself, and readable at once; anything larger goes
 * out in a transaction of a producer that belongs to this object alone.
 */
export class KafkaAppender {
  readonly #kafka: Kafka
  #idempotent: Promise<Producer> | null = null
  #transactional: Promise<TransactionalProducer> | null = null
  /** The end of the last append under way: a producer does one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(kafka: Kafka) {
    this.#kafka = kafka
  }

  /** With `joined` the transaction stays open until `end`. */
  append(sends: Sends, joined: boolean): Promise<void> {
    return this.#inTurn(() => (sends.isOneBatch && !joined ? this.#alone(sends) : this.#inTransaction(sends, joined)))
  }

  /** Commits or drops what joined appends have sent. */
  end(how: 'commit' | 'abort'): Promise<void> {
    return this.#inTurn(async () => {
      const producer = await this.#transactional
      if (producer?.isOpen !== true) return
      try {
        await (how === 'commit' ? producer.commit() : producer.abort())
      } catch (error) {
        await this.#forgetTransactional()
        throw error
      }
    })
  }

  async close(): Promise<void> {
    await this.#tail
    await (await this.#idempotent)?.disconnect()
    await (await this.#transactional)?.close()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #alone(sends: Sends): Promise<void> {
    const call = sends.calls[0]!
    this.#idempotent ??= idempotentProducer(this.#kafka)
    try {
      const producer = await this.#idempotent
      sends.sent(call, await producer.sendBatch({ acks: -1, topicMessages: topicMessages(call) }))
    } catch (error) {
      // Its count of what the broker has may be wrong now; a new producer counts from 0.
      const broken = this.#idempotent
      this.#idempotent = null
      await (await broken.catch(() => null))?.disconnect()
      throw error
    }
  }

  async #inTransaction(sends: Sends, joined: boolean): Promise<void> {
    this.#transactional ??= TransactionalProducer.open(
      this.#kafka,
      `rheo-append-${randomUUID()}`,
      TRANSACTION_TIMEOUT_MS,
    )
    try {
      const producer = await this.#transactional
      await producer.send(sends, null)
      if (!joined) await producer.commit()
    } catch (error) {
      await this.#forgetTransactional()
      throw error
    }
  }

  /** The brokers drop what it left open after its time, at the latest. */
  async #forgetTransactional(): Promise<void> {
    const broken = this.#transactional
    this.#transactional = null
    const producer = await broken?.catch(() => null)
    // An abort that fails, too, changes nothing: the brokers abort it after its time.
    if (producer?.isOpen === true) await producer.abort().catch(() => undefined)
    await producer?.close()
  }
}
