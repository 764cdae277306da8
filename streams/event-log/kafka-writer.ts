import { setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../../schemas/errors.ts'
import type { Position, TaskWriter, Transaction } from './event-log.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import { TransactionalProducer } from './kafka-producer.ts'
import type { Sends } from './kafka-sends.ts'
import type { UnitedTasks } from './kafka-united.ts'
import { fenced } from './refusals.ts'

/** What a task writer needs of the log that it belongs to. */
export interface WriterLog {
  readonly cluster: KafkaCluster
  readonly transactionTimeoutMs: number
  plan(appends: Transaction['appends']): Promise<Sends>
  /** The group's committed position, as the brokers know it. */
  committed(group: string, topic: string, partition: number): Promise<bigint | undefined>
  /** The commit belongs to a `together` of united tasks, which are these; null: not. */
  union(): UnitedTasks | null
  /** The commit belongs to a `together`, which will call `end`. */
  joins(writer: KafkaWriter): boolean
  /** Fences who commits for all tasks of the group at once, here or in another process. */
  part(group: string): Promise<void>
  /** What the running `together` contained of this writer is lost, so it can only fail. */
  spoil(error: unknown): void
  /** Resolves when who reads here can go on with what was sent. */
  done(sends: readonly Sends[], group: string, positions: readonly Position[]): Promise<void>
}

/** A commit is done again for so long; a broker that dies is replaced sooner. */
const PATIENCE_MS = 30_000
const PAUSE_MS = 100

/**
 * The right to commit for one task: one transactional producer whose id is the group's and the task's name. Records and
 * positions go out in one Kafka transaction.
 *
 * Positions are committed without the group's generation, so only the transactional id fences: `open` first takes the
 * id over (which ends the former holder's transaction), and only then may positions be read.
 */
export class KafkaWriter implements TaskWriter {
  readonly #log: WriterLog
  readonly #group: string
  readonly #task: string
  #producer: TransactionalProducer
  /** Positions as this holder knows them to be committed, by `topic/partition`. */
  readonly #committed = new Map<string, Omit<Position, 'next'> & { readonly next: bigint | undefined }>()
  /** What the open transaction contains. */
  #sent: Sends[] = []
  #moved: Position[] = []
  /** Why this holder may not commit any more. */
  #ended: unknown = null

  static async open(log: WriterLog, group: string, task: string): Promise<KafkaWriter> {
    return new KafkaWriter(log, group, task, await openProducer(log, group, task))
  }

  private constructor(log: WriterLog, group: string, task: string, producer: TransactionalProducer) {
    this.#log = log
    this.#group = group
    this.#task = task
    this.#producer = producer
  }

  /**
   * Does the transaction again while it is certain that nothing of it happened and that nobody else took the task over,
   * for some seconds; then it throws LOG_UNAVAILABLE.
   */
  async commit({ appends, positions }: Transaction): Promise<void> {
    if (this.#ended !== null) throw this.#ended
    const union = this.#log.union()
    if (union !== null) {
      union.add(this, { appends, positions })
      return
    }
    const joined = this.#log.joins(this)
    const sends = await this.#log.plan(appends)
    // What is committed now has to be known, to tell after a failure what happened.
    for (const { topic, partition } of positions) await this.committed(topic, partition)
    for (const untilMs = performance.now() + PATIENCE_MS; ; ) {
      const hadSent = this.#sent.length > 0
      try {
        await this.#producer.send(sends, this.#group, positions)
        this.#sent.push(sends)
        this.#moved.push(...positions)
        if (joined) return
        await this.end('commit')
        return
      } catch (error) {
        const failure = this.#failure(error)
        if (joined) {
          // Earlier commits of the same bracket go with it. A zombie's refused commit leaves the others' as they are.
          if (hadSent || this.#ended === null) this.#log.spoil(failure)
        }
        await this.#drop()
        if (joined || this.#ended !== null || !isTransient(error) || performance.now() > untilMs) throw failure
        await sleep(PAUSE_MS)
      }
    }
  }

  /** Commits or drops what was sent since the last end. When it throws, nothing of it happened; or, with #ended set, nobody knows. */
  async end(how: 'commit' | 'abort'): Promise<void> {
    if (this.#ended !== null) return
    if (how === 'abort') {
      await this.#drop()
      return
    }
    if (!this.#producer.isOpen) return
    try {
      await this.#producer.commit()
    } catch (error) {
      await this.#settle(error)
    }
    this.know(this.#moved)
    const [sent, moved] = [this.#sent, this.#moved]
    this.#sent = []
    this.#moved = []
    await this.#log.done(sent, this.#group, moved)
  }

  async committed(topic: string, partition: number): Promise<bigint | undefined> {
    const name = `${topic}/${partition}`
    if (!this.#committed.has(name))
      this.#know(topic, partition, await this.#log.committed(this.#group, topic, partition))
    return this.#committed.get(name)!.next
  }

  /** These positions of the task are committed now. */
  know(positions: readonly Position[]): void {
    for (const { topic, partition, next } of positions) this.#know(topic, partition, next)
  }

  /** The task was acquired anew: by the broker's word this holder is fenced. */
  async giveWay(): Promise<void> {
    this.#ended ??= fenced(this.#group, this.#task)
    await this.close()
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }

  #know(topic: string, partition: number, next: bigint | undefined): void {
    this.#committed.set(`${topic}/${partition}`, { topic, partition, next })
  }

  /** Drops what was sent, and takes a new producer: the old one cannot count any more (kafka-producer.ts). */
  async #drop(): Promise<void> {
    this.#sent = []
    this.#moved = []
    if (this.#ended !== null || !this.#producer.isOpen) return
    try {
      await this.#producer.abort()
    } catch (error) {
      // Fenced, or away: a new producer of the id will make the brokers abort it.
      this.#failure(error)
      if (this.#ended !== null) return
    }
    await this.#reopen()
    for (const { topic, partition, next } of this.#committed.values()) {
      if ((await this.#ask(topic, partition)) !== next) throw this.#fence()
    }
  }

  /**
   * The answer to a commit was lost, so it may have happened or not. A new producer of the same id makes the brokers end
   * it one way or the other; the committed positions then tell which. Returns when it happened.
   */
  async #settle(error: unknown): Promise<void> {
    const failure = this.#failure(error)
    if (this.#ended !== null) throw failure
    const before = (position: Position) => this.#committed.get(`${position.topic}/${position.partition}`)?.next
    const moved = this.#moved.find((position) => before(position) !== position.next)
    if (moved === undefined) throw this.#end(error)
    await this.#reopen()
    const now = await this.#ask(moved.topic, moved.partition)
    if (now === moved.next) return
    if (now !== before(moved)) throw this.#fence()
    throw failure
  }

  async #reopen(): Promise<void> {
    await this.#producer.close()
    for (const untilMs = performance.now() + PATIENCE_MS; ; ) {
      try {
        this.#producer = await openProducer(this.#log, this.#group, this.#task)
        return
      } catch (error) {
        if (!isTransient(error) || performance.now() > untilMs) throw this.#end(error)
        await sleep(PAUSE_MS)
      }
    }
  }

  async #ask(topic: string, partition: number): Promise<bigint | undefined> {
    try {
      return await this.#log.committed(this.#group, topic, partition)
    } catch (error) {
      throw this.#end(error)
    }
  }

  #fence(): RheoError {
    const failure = fenced(this.#group, this.#task)
    this.#ended = failure
    return failure
  }

  /** This holder cannot go on: what happened is not known, or the brokers are away. */
  #end(cause: unknown): RheoError {
    const failure = acquireAgain(this.#group, this.#task, cause)
    this.#ended = failure
    return failure
  }

  #failure(error: unknown): unknown {
    const failure = kafkaError(error, `Committing task ${this.#task} of group ${this.#group}`)
    if (failure instanceof RheoError && failure.code === 'FENCED' && this.#ended === null) {
      this.#ended = failure
      void this.close()
    }
    return failure
  }
}

/**
 * Kafka's name of a task is its transactional id: whoever opens a producer with it last is the holder. Who committed for
 * all tasks at once may not do so any more, either.
 */
async function openProducer(log: WriterLog, group: string, task: string): Promise<TransactionalProducer> {
  const producer = await TransactionalProducer.open(log.cluster, `${group}-${task}`, log.transactionTimeoutMs)
  try {
    await log.part(group)
    return producer
  } catch (error) {
    await producer.close()
    throw error
  }
}

function acquireAgain(group: string, task: string, cause: unknown): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `Whether a commit of task ${task} of group ${group} happened is not known.`, {
    retryable: true,
    cause,
    hint: 'Acquire the task again and go on from its committed position.',
  })
}
