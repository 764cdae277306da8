import { RheoError } from '../../schemas/errors.ts'
import type { Fetched, FetchLimits, LogRecord, Position, Transaction } from './event-log.ts'
import { NO_HEADERS } from './headers.ts'
import { kafkaError } from './kafka-errors.ts'
import type { TransactionalProducer } from './kafka-producer.ts'
import type { Sends } from './kafka-sends.ts'
import type { KafkaWriter } from './kafka-writer.ts'
import { mustBeginAgain } from './refusals.ts'

/** What united tasks need of the log that they belong to. */
export interface UnitedLog {
  readonly group: string
  readonly producer: TransactionalProducer
  plan(appends: Transaction['appends']): Promise<Sends>
  fetch(topic: string, partition: number, from: bigint, limits: FetchLimits): Fetched | Promise<Fetched>
  /** Nobody reads this partition from the brokers any more. */
  release(topic: string, partition: number): void
  done(sends: Sends, group: string, positions: readonly Position[]): void
}

/** A partition that only these tasks append to. */
interface Own {
  /** Everything from here on was appended by these tasks, and is at hand until it is read. */
  readonly from: bigint
  /** What the next record's offset will be. */
  next: bigint
  unread: LogRecord[]
  /** The first offset of the bracket's records, as it was foretold; null: none yet. */
  foretold: bigint | null
  isReleased: boolean
}

/**
 * All tasks of a group in one process: what they commit within one bracket is one Kafka transaction of one producer, and
 * what they append to partitions that only they write to can be read within it, before it was ever sent. Kafka gives
 * offsets one after the other, and one to the marker that ends a transaction; so the offsets are known beforehand, and
 * held against those that the brokers gave before the transaction ends. A bracket that fails, for whatever reason, ends the
 * union: every task begins again from what is committed.
 *
 * Whoever acquires one of the tasks takes this producer's id over, too (kafka.ts), which ends the union as well.
 */
export class UnitedTasks {
  readonly #log: UnitedLog
  readonly #own: ReadonlyMap<string, Own>
  #transactions: { readonly writer: KafkaWriter; readonly transaction: Transaction }[] = []
  #hasEnded = false

  /** `ends`: the partitions that only these tasks append to, by `topic/partition`, and where they end. */
  constructor(log: UnitedLog, ends: ReadonlyMap<string, bigint>) {
    this.#log = log
    this.#own = new Map(
      [...ends].map(([name, end]) => [
        name,
        { from: end, next: end, unread: [], foretold: null, isReleased: false } satisfies Own,
      ]),
    )
  }

  /** Takes a task's commit into the bracket. Its values are turned into bytes now, as they are when it says so. */
  add(writer: KafkaWriter, { appends, positions }: Transaction): void {
    const sent = appends.map(({ topic, partition, records }) => {
      const own = this.#own.get(`${topic}/${partition}`)
      const encoded = records.map((record) => {
        const { key, value, headers, timestampMs } = record // by name: a record may compute them
        if (own !== undefined) {
          own.foretold ??= own.next
          const kept = { key, value, headers: headers ?? NO_HEADERS, timestampMs: Math.floor(timestampMs) }
          own.unread.push({ offset: own.next++, ...kept })
        }
        const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
        return { key, value: bytes, timestampMs, ...(headers === undefined ? {} : { headers }) }
      })
      return { topic, partition, records: encoded }
    })
    this.#transactions.push({ writer, transaction: { appends: sent, positions } })
  }

  /** See `EventLog.fetch`; undefined: the partition is not one of these tasks' own. */
  fetch(topic: string, partition: number, from: bigint, limits: FetchLimits): Fetched | Promise<Fetched> | undefined {
    const own = this.#own.get(`${topic}/${partition}`)
    if (own === undefined) return undefined
    if (from < own.from) return this.#before(own, topic, partition, from, limits)
    if (!own.isReleased) {
      own.isReleased = true
      this.#log.release(topic, partition)
    }
    if (own.unread.length === 0) return { records: [], next: from }
    const records = own.unread.splice(0, limits.maxRecords)
    return { records, next: records.at(-1)!.offset + 1n, left: own.unread.length }
  }

  /** The bracket ends: everything in it happens, or nothing and the union has ended. */
  async end(how: 'commit' | 'abort'): Promise<void> {
    if (how === 'abort') return this.close()
    if (this.#hasEnded) throw mustBeginAgain(this.group, new Error('one of them was acquired anew'))
    const transactions = this.#transactions
    if (transactions.length === 0) return
    this.#transactions = []
    const positions = new Map<string, Position>()
    for (const { transaction } of transactions) {
      for (const position of transaction.positions) positions.set(`${position.topic}/${position.partition}`, position)
    }
    const { group, producer } = this.#log
    try {
      const sends = await this.#log.plan(transactions.flatMap(({ transaction }) => transaction.appends))
      await producer.send(sends, group, [...positions.values()])
      this.#check(sends)
      await producer.commit()
      this.#log.done(sends, group, [...positions.values()])
    } catch (error) {
      await this.close()
      const failure = kafkaError(error, `Committing all tasks of group ${group}`)
      const isRefused = failure instanceof RheoError && !failure.retryable && failure.code !== 'FENCED'
      throw isRefused ? failure : mustBeginAgain(group, failure)
    }
    for (const { writer, transaction } of transactions) writer.know(transaction.positions)
    for (const own of this.#own.values()) {
      if (own.foretold !== null) own.next += MARKER
      own.foretold = null
    }
  }

  get group(): string {
    return this.#log.group
  }

  /** This bracket and later ones fail; what one has sent, the brokers abort. */
  async close(): Promise<void> {
    this.#hasEnded = true
    this.#transactions = []
    await this.#log.producer.close()
  }

  /** Records from before the union, as the brokers have them. */
  async #before(own: Own, topic: string, partition: number, from: bigint, limits: FetchLimits): Promise<Fetched> {
    const { records, next, left } = await this.#log.fetch(topic, partition, from, limits)
    if (next <= own.from) return { records, next, ...(left === undefined ? {} : { left }) }
    return { records: records.filter(({ offset }) => offset < own.from), next: own.from }
  }

  /** Throws where another producer has appended to one of the own partitions. */
  #check(sends: Sends): void {
    for (const { topic, partition, first } of sends.firsts()) {
      const foretold = this.#own.get(`${topic}/${partition}`)?.foretold
      if (foretold == null || foretold === first) continue
      throw new Error(
        `${topic}/${partition} went on at offset ${first}, not at ${foretold}: another process writes there`,
      )
    }
  }
}

/** A transaction ends with one marker in each of its partitions. */
const MARKER = 1n
