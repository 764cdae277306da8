import type { Position } from './event-log.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { Coordinators } from './kafka-coordinators.ts'
import type { KafkaRequest } from './kafka-link.ts'
import { patiently } from './kafka-patience.ts'
import {
  addOffsetsRequest,
  addPartitionsRequest,
  type Committer,
  commitPositionsRequest,
  endTransactionRequest,
  GROUP,
  initProducerIdRequest,
  TRANSACTION,
} from './kafka-requests.ts'
import type { Send, Sends, SentBatch } from './kafka-sends.ts'
import { ProducerSession, REPLICATED_WITHIN_MS } from './kafka-session.ts'

/**
 * An idempotent producer, for sends to one partition: what it sends is there once, however often it is repeated, because a
 * repetition has the same sequence. Not for several partitions at once: see `TransactionalProducer`.
 */
export class IdempotentProducer {
  readonly #session: ProducerSession

  static async open(cluster: KafkaCluster): Promise<IdempotentProducer> {
    const request = initProducerIdRequest({ transactionalId: null, transactionTimeout: REPLICATED_WITHIN_MS })
    const id = await patiently(() => cluster.ask(request))
    return new IdempotentProducer(new ProducerSession(cluster, cluster.openLink(), { transactionalId: null, ...id }))
  }

  private constructor(session: ProducerSession) {
    this.#session = session
  }

  send(call: Send): Promise<SentBatch[]> {
    return patiently(() => this.#session.produce(call))
  }

  close(): Promise<void> {
    return this.#session.link.close()
  }
}

/**
 * One producer of a transactional id, and its transactions one after the other. `open` fences every earlier producer of
 * the id (InitProducerId), and ends what they left open; later ones fence this one.
 *
 * After a failed send it must be closed, and another opened: whether a batch was written is not known when its answer is
 * lost, and so not the sequence that the broker waits for.
 */
export class TransactionalProducer {
  readonly #session: ProducerSession
  readonly #coordinators: Coordinators
  readonly #who: Committer
  /** What the broker knows the open transaction to contain. */
  #partitions = new Set<string>()
  #groups = new Set<string>()

  /** `timeoutMs`: an open transaction that its producer forgot is ended after so long, and until then holds readers up. */
  static async open(cluster: KafkaCluster, transactionalId: string, timeoutMs: number): Promise<TransactionalProducer> {
    const link = cluster.openLink()
    try {
      const coordinators = new Coordinators(cluster, link)
      const request = initProducerIdRequest({ transactionalId, transactionTimeout: timeoutMs })
      const { producerId, producerEpoch } = await coordinators.ask(TRANSACTION, transactionalId, request)
      const who = { transactionalId, producerId, producerEpoch }
      return new TransactionalProducer(new ProducerSession(cluster, link, who), coordinators, who)
    } catch (error) {
      await link.close()
      throw error
    }
  }

  private constructor(session: ProducerSession, coordinators: Coordinators, who: Committer) {
    this.#session = session
    this.#coordinators = coordinators
    this.#who = who
  }

  /** Something was sent that is neither committed nor aborted. */
  get isOpen(): boolean {
    return this.#partitions.size > 0 || this.#groups.size > 0
  }

  /** Sends records and a group's positions within the transaction; also with none, so that a fenced producer hears of it. */
  async send(sends: Sends, group: string | null, positions: readonly Position[]): Promise<void> {
    const moved = positions.length > 0 || sends.partitions.length === 0 ? group : null
    await Promise.all([this.#addPartitions(sends.partitions), moved === null ? undefined : this.#addGroup(moved)])
    await Promise.all([this.#sendRecords(sends), moved === null ? undefined : this.#sendPositions(moved, positions)])
  }

  async commit(): Promise<void> {
    await this.#end(true)
  }

  async abort(): Promise<void> {
    await this.#end(false)
  }

  /** Nothing depends on how it goes: what is left open, the brokers end. */
  async close(): Promise<void> {
    await this.#session.link.close().catch(() => undefined)
  }

  async #addPartitions(partitions: Sends['partitions']): Promise<void> {
    const added = partitions.filter(({ topic, partition }) => !this.#partitions.has(`${topic}/${partition}`))
    if (added.length === 0) return
    for (const { topic, partition } of added) this.#partitions.add(`${topic}/${partition}`)
    const topics = [...Map.groupBy(added, ({ topic }) => topic)].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition }) => partition),
    }))
    await this.#ask(addPartitionsRequest({ ...this.#who, topics }))
  }

  async #addGroup(groupId: string): Promise<void> {
    if (this.#groups.has(groupId)) return
    this.#groups.add(groupId)
    await this.#ask(addOffsetsRequest({ ...this.#who, groupId }))
  }

  /** The broker may still be busy with the last commit: asked until it is not. */
  async #ask(request: KafkaRequest<object>): Promise<void> {
    await this.#coordinators.ask(TRANSACTION, this.#who.transactionalId, request)
  }

  async #sendRecords(sends: Sends): Promise<void> {
    sends.begin()
    for (const call of sends.calls) sends.sent(call, await this.#session.produce(call))
  }

  async #sendPositions(group: string, positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return
    await this.#coordinators.ask(GROUP, group, commitPositionsRequest(this.#who, group, positions))
  }

  /** Once: where the answer is lost, a new producer finds out whether it happened. */
  async #end(transactionResult: boolean): Promise<void> {
    const request = endTransactionRequest({ ...this.#who, transactionResult })
    await this.#coordinators.askOnce(TRANSACTION, this.#who.transactionalId, request)
    this.#partitions = new Set()
    this.#groups = new Set()
  }
}
