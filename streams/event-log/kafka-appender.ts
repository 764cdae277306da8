import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../../schemas/errors.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { isFencing, isTransient } from './kafka-errors.ts'
import { IdempotentProducer, TransactionalProducer } from './kafka-producer.ts'
import type { Sends } from './kafka-sends.ts'

/** A producer that dies in mid-transaction holds readers of its partitions up for so long. */
const TRANSACTION_TIMEOUT_MS = 10_000
const PATIENCE_MS = 30_000
const PAUSE_MS = 100

/**
 * Appends outside any task. One batch of one partition is atomic by itself, and readable at once; anything larger goes
 * out in a transaction of a producer that belongs to this object alone.
 */
export class KafkaAppender {
  readonly #cluster: KafkaCluster
  readonly #transactionalId = `rheo-append-${randomUUID()}`
  #idempotent: Promise<IdempotentProducer> | null = null
  #transactional: Promise<TransactionalProducer> | null = null
  /** The end of the last append under way: a producer does one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
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
        if (isFencing(error)) throw expiredTransaction(error)
        throw how === 'commit' ? mayHaveHappened(error) : error
      }
      if (how === 'abort') await this.#forgetTransactional()
    })
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#idempotent?.then((producer) => producer.close()).catch(() => undefined)
    await this.#transactional?.then((producer) => producer.close()).catch(() => undefined)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #alone(sends: Sends): Promise<void> {
    const call = sends.calls[0]!
    this.#idempotent ??= IdempotentProducer.open(this.#cluster)
    try {
      const producer = await this.#idempotent
      sends.sent(call, await producer.send(call))
    } catch (error) {
      // Its count of what the broker has may be wrong now; a new producer counts from 0.
      const broken = this.#idempotent
      this.#idempotent = null
      await broken.then((producer) => producer.close()).catch(() => undefined)
      throw error
    }
  }

  /** What was sent but not committed is sent again, by a new producer: until the commit nothing of it has happened. */
  async #inTransaction(sends: Sends, joined: boolean): Promise<void> {
    for (const untilMs = performance.now() + PATIENCE_MS; ; ) {
      const hadSent = (await this.#transactional?.catch(() => null))?.isOpen === true
      let step: 'send' | 'commit' = 'send'
      try {
        this.#transactional ??= TransactionalProducer.open(this.#cluster, this.#transactionalId, TRANSACTION_TIMEOUT_MS)
        const producer = await this.#transactional
        await producer.send(sends, null, [])
        step = 'commit'
        if (!joined) await producer.commit()
        return
      } catch (error) {
        await this.#forgetTransactional()
        // Nobody else has the id: the brokers have ended the transaction because it took too long.
        const expired = isFencing(error)
        if (step === 'commit' && !expired) throw mayHaveHappened(error)
        const isOver = hadSent || performance.now() > untilMs
        if (isOver && expired) throw expiredTransaction(error)
        if (isOver || !(expired || isTransient(error))) throw error
        await sleep(PAUSE_MS)
      }
    }
  }

  /** Its successor has the same id, so the brokers abort what it leaves open. */
  async #forgetTransactional(): Promise<void> {
    const broken = this.#transactional
    this.#transactional = null
    const producer = await broken?.catch(() => null)
    await producer?.close()
  }
}

function expiredTransaction(cause: unknown): RheoError {
  return new RheoError('LOG_UNAVAILABLE', 'Appending took longer than the brokers wait for a transaction to end.', {
    retryable: true,
    cause,
    hint: 'Nothing was appended: append again, once the brokers answer sooner.',
  })
}

function mayHaveHappened(cause: unknown): unknown {
  if (!isTransient(cause)) return cause
  return new RheoError('LOG_UNAVAILABLE', 'Whether records were appended is not known: the answer was lost.', {
    retryable: true,
    cause,
    hint: 'Appended again they may be there twice; duplicates of events are told by their ids.',
  })
}
