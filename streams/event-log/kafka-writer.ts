import type { Kafka } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import type { Position, TaskWriter, Transaction } from './event-log.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import { TransactionalProducer } from './kafka-producer.ts'
import type { Sends } from './kafka-sends.ts'
import { fenced } from './refusals.ts'

/** What a task writer needs of the log that it belongs to. */
export interface WriterLog {
  readonly kafka: Kafka
  readonly transactionTimeoutMs: number
  plan(appends: Transaction['appends']): Promise<Sends>
  /** The group's committed position, as the brokers know it. */
  committed(group: string, topic: string, partition: number): Promise<bigint | undefined>
  /** The commit belongs to a `together`, which will call `end`. */
  joins(writer: KafkaWriter): boolean
  /** What the running `together` contained of this writer is lost, so it can only fail. */
  spoil(error: unknown): void
  done(sends: readonly Sends[], group: string, positions: readonly Position[]): void
}

/**
 * The right to commit for one task: one transactional producer whose id is the group's and the task's name. Records and
 * positions go out in one Kafka transaction.
 *
 * kafkajs commits positions without the group's generation, so only the transactional id fences: `open` first takes the
 * id over (which ends the former holder's transaction), and only then may positions be read.
 */
export class KafkaWriter implements TaskWriter {
  readonly #log: WriterLog
  readonly #group: string
  readonly #task: string
  #producer: TransactionalProducer
  /** Positions as this holder knows them to be committed. */
  readonly #committed = new Map<string, bigint | undefined>()
  /** What the open transaction contains. */
  #sent: Sends[] = []
  #moved: Position[] = []
  /** Why this holder may not commit any more. */
  #ended: unknown = null

  static async open(log: WriterLog, group: string, task: string): Promise<KafkaWriter> {
    const producer = await TransactionalProducer.open(log.kafka, transactionalId(group, task), log.transactionTimeoutMs)
    return new KafkaWriter(log, group, task, producer)
  }

  private constructor(log: WriterLog, group: string, task: string, producer: TransactionalProducer) {
    this.#log = log
    this.#group = group
    this.#task = task
    this.#producer = producer
  }

  async commit({ appends, positions }: Transaction): Promise<void> {
    if (this.#ended !== null) throw this.#ended
    const sends = await this.#log.plan(appends)
    const joined = this.#log.joins(this)
    const hadSent = this.#producer.isOpen
    try {
      await this.#producer.send(sends, { group: this.#group, positions })
    } catch (error) {
      const failure = this.#failure(error)
      // A zombie's refused commit leaves the others' as they are.
      if (joined && (hadSent || this.#ended === null)) this.#log.spoil(failure)
      if (this.#ended === null) await this.#abort()
      throw failure
    }
    this.#sent.push(sends)
    this.#moved.push(...positions)
    if (!joined) await this.end('commit')
  }

  /** Commits or drops what was sent since the last end. */
  async end(how: 'commit' | 'abort'): Promise<void> {
    if (!this.#producer.isOpen || this.#ended !== null) return
    if (how === 'abort') {
      await this.#abort()
      return
    }
    try {
      await this.#producer.commit()
    } catch (error) {
      await this.#settle(error)
    }
    this.#finish()
  }

  async committed(topic: string, partition: number): Promise<bigint | undefined> {
    const name = `${topic}/${partition}`
    if (!this.#committed.has(name)) {
      this.#committed.set(name, await this.#log.committed(this.#group, topic, partition))
    }
    return this.#committed.get(name)
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }

  #finish(): void {
    for (const { topic, partition, next } of this.#moved) this.#committed.set(`${topic}/${partition}`, next)
    this.#log.done(this.#sent, this.#group, this.#moved)
    this.#sent = []
    this.#moved = []
  }

  async #abort(): Promise<void> {
    this.#sent = []
    this.#moved = []
    try {
      await this.#producer.abort()
    } catch (error) {
      // The brokers end it when the task is acquired again, or after the transaction's time. This producer cannot go on.
      this.#ended ??= this.#failure(error)
    }
  }

  /**
   * The answer to a commit was lost, so it may have happened or not. A new producer of the same id makes the brokers end
   * it one way or the other; the committed positions then tell which.
   */
  async #settle(error: unknown): Promise<void> {
    const failure = this.#failure(error)
    const moved = this.#moved.filter(
      ({ topic, partition, next }) => this.#committed.get(`${topic}/${partition}`) !== next,
    )
    if (this.#ended !== null) throw failure
    this.#ended = unknownOutcome(this.#group, this.#task, failure)
    if (!isTransient(error) || moved.length === 0) throw this.#ended
    const { topic, partition, next } = moved[0]!
    const before = this.#committed.get(`${topic}/${partition}`)
    let now: bigint | undefined
    try {
      await this.#producer.close()
      const { kafka, transactionTimeoutMs } = this.#log
      this.#producer = await TransactionalProducer.open(
        kafka,
        transactionalId(this.#group, this.#task),
        transactionTimeoutMs,
      )
      now = await this.#log.committed(this.#group, topic, partition)
    } catch (cause) {
      throw unknownOutcome(this.#group, this.#task, cause)
    }
    if (now === next) {
      this.#ended = null
      return
    }
    this.#sent = []
    this.#moved = []
    // Neither: another holder was here in between.
    this.#ended =
      this.#committed.has(`${topic}/${partition}`) && now === before ? null : fenced(this.#group, this.#task)
    throw this.#ended ?? failure
  }

  #failure(error: unknown): unknown {
    const failure = kafkaError(error, `Committing task ${this.#task} of group ${this.#group}`)
    if (failure instanceof RheoError && failure.code === 'FENCED') this.#ended = failure
    return failure
  }
}

/** Kafka's name of a task: whoever opens a producer with it last is the holder. */
function transactionalId(group: string, task: string): string {
  return `${group}-${task}`
}

function unknownOutcome(group: string, task: string, cause: unknown): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `Whether a commit of task ${task} of group ${group} happened is not known.`, {
    retryable: true,
    cause,
    hint: 'Acquire the task again and go on from its committed position.',
  })
}
