import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka, Producer, RetryOptions, Transaction } from 'kafkajs'
import type { Position } from './event-log.ts'
import { isTransient } from './kafka-errors.ts'
import { type Sends, topicMessages } from './kafka-sends.ts'

/** About 14 s in all: as long as a broker takes to be replaced. */
const RETRY: RetryOptions = { initialRetryTime: 5, maxRetryTime: 500, retries: 34 }
const PATIENCE_MS = 14_000
const FIRST_PAUSE_MS = 3
const LONGEST_PAUSE_MS = 100
/** Where a transaction has no positions to commit. */
const NO_GROUP = 'rheo-append'

/**
 * An idempotent producer, for sends to one partition: what it sends is there once, however often kafkajs repeats it.
 * Not for several partitions at once: see `TransactionalProducer`.
 */
export async function idempotentProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: RETRY,
  })
  await producer.connect()
  return producer
}

/**
 * One producer of a transactional id, and its transactions one after the other. `open` fences every earlier producer of
 * the id (InitProducerId), and ends what they left open; later ones fence this one.
 *
 * After a failed send it must be closed, and another opened. kafkajs repeats a send broker by broker: where a partition
 * has moved in between, it is sent twice or not at all. So it may repeat nothing here. And it counts a batch whose answer
 * was lost as not written, so that the broker would take the next one for a repetition, and drop it.
 */
export class TransactionalProducer {
  readonly #producer: Producer
  #transaction: Transaction
  #begun = false

  /** `timeoutMs`: an open transaction that its producer forgot is ended after so long, and until then holds readers up. */
  static async open(kafka: Kafka, transactionalId: string, timeoutMs: number): Promise<TransactionalProducer> {
    const producer = kafka.producer({
      transactionalId,
      transactionTimeout: timeoutMs,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
    })
    try {
      await producer.connect()
      // The first transaction of a kafkajs producer asks for its id and epoch; the broker hears of it only when it sends.
      return new TransactionalProducer(producer, await producer.transaction())
    } catch (error) {
      await producer.disconnect().catch(() => undefined)
      throw error
    }
  }

  private constructor(producer: Producer, transaction: Transaction) {
    this.#producer = producer
    this.#transaction = transaction
  }

  /** Something was sent that is neither committed nor aborted. */
  get isOpen(): boolean {
    return this.#begun
  }

  /** Sends records and a group's positions within the transaction; also with none, so that a fenced producer hears of it. */
  async send(sends: Sends, group: string | null, positions: readonly Position[]): Promise<void> {
    this.#begun = true
    // Positions first: the broker may still be busy with the last commit, and this can be repeated until it is not.
    await this.#sendPositions(group ?? NO_GROUP, positions)
    sends.begin()
    for (const call of sends.calls) {
      sends.sent(call, await this.#transaction.sendBatch({ acks: -1, topicMessages: topicMessages(call) }))
    }
  }

  async commit(): Promise<void> {
    await this.#transaction.commit()
    await this.#next()
  }

  async abort(): Promise<void> {
    await this.#transaction.abort()
    await this.#next()
  }

  /** Nothing depends on how it goes: what is left open, the brokers end. */
  async close(): Promise<void> {
    await this.#producer.disconnect().catch(() => undefined)
  }

  async #next(): Promise<void> {
    this.#begun = false
    this.#transaction = await this.#producer.transaction()
  }

  async #sendPositions(group: string, positions: readonly Position[]): Promise<void> {
    const topics = new Map<string, { partition: number; offset: string }[]>()
    for (const { topic, partition, next } of positions) {
      const entry = { partition, offset: String(next) }
      const known = topics.get(topic)
      if (known === undefined) topics.set(topic, [entry])
      else known.push(entry)
    }
    const offsets = {
      consumerGroupId: group,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    }
    const untilMs = performance.now() + PATIENCE_MS
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await this.#transaction.sendOffsets(offsets)
      } catch (error) {
        if (!isTransient(error) || performance.now() > untilMs) throw error
        await sleep(pauseMs)
      }
    }
  }
}
