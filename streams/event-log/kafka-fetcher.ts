import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaCluster } from './kafka-cluster.ts'
import { isTransient, kafkaRefusal } from './kafka-errors.ts'
import { type FetchedPartition, type FetchOptions, fetchRequest } from './kafka-fetch.ts'
import type { BrokerAddress, KafkaLink } from './kafka-link.ts'
import type { PartitionBuffer } from './kafka-partition-buffer.ts'

export interface FetchListener {
  /** The partitions that are to be read on, each from its `fetchAt`. */
  wanted(): readonly PartitionBuffer[]
  /** What the broker that leads `buffer` sent of it, asked for from `fetchAt` on. */
  fetched(buffer: PartitionBuffer, fetchAt: number, found: FetchedPartition): void
  /** The offset is gone, or not there yet. */
  outOfRange(buffer: PartitionBuffer): void
  /** A broker did not answer, or refused; where that may pass, it is asked again. */
  failed(error: unknown): void
}

const PAUSE_MS = 100
const OUT_OF_RANGE = 1

/**
 * Asks brokers for what is wanted, again and again: one request at a time to each broker that leads some of it. It stops
 * where nothing is wanted, and where it was refused, until it is woken.
 */
export class KafkaFetcher {
  readonly #cluster: KafkaCluster
  readonly #options: FetchOptions
  readonly #listener: FetchListener
  readonly #link: KafkaLink
  /** Brokers that are being asked, by `host:port`. */
  readonly #asking = new Set<string>()
  #isLearning = false
  #isClosed = false

  constructor(cluster: KafkaCluster, options: FetchOptions, listener: FetchListener) {
    this.#cluster = cluster
    this.#options = options
    this.#listener = listener
    this.#link = cluster.openLink()
  }

  /** More may be wanted than before. */
  wake(): void {
    if (this.#isClosed) return
    let isUnknown = false
    for (const { topic, partition } of this.#listener.wanted()) {
      const leader = this.#cluster.leaderOf(topic, partition)
      if (leader === undefined) isUnknown = true
      else void this.#ask(leader)
    }
    if (isUnknown) void this.#learn()
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.#link.close()
  }

  async #learn(): Promise<void> {
    if (this.#isLearning) return
    this.#isLearning = true
    try {
      await this.#cluster.learn(this.#unknown())
    } catch (error) {
      if (!(await this.#mayGoOn(error))) return
    } finally {
      this.#isLearning = false
    }
    this.wake()
  }

  #unknown(): string[] {
    const wanted = this.#listener.wanted()
    return wanted
      .filter((each) => this.#cluster.leaderOf(each.topic, each.partition) === undefined)
      .map(({ topic }) => topic)
  }

  async #ask({ host, port }: BrokerAddress): Promise<void> {
    const name = `${host}:${port}`
    if (this.#asking.has(name)) return
    this.#asking.add(name)
    try {
      for (let turn = 0; !this.#isClosed; turn++) {
        const wanted = this.#listener.wanted().filter(({ topic, partition }) => {
          const leader = this.#cluster.leaderOf(topic, partition)
          return leader?.host === host && leader.port === port
        })
        if (wanted.length === 0) return
        await this.#askOnce({ host, port }, rotated(wanted, turn))
      }
    } catch (error) {
      this.#cluster.forgetLeaders()
      if (await this.#mayGoOn(error)) setImmediate(() => this.wake())
    } finally {
      this.#asking.delete(name)
    }
  }

  async #askOnce(leader: BrokerAddress, wanted: readonly PartitionBuffer[]): Promise<void> {
    const asked = new Map(
      wanted.map((buffer) => [`${buffer.topic}/${buffer.partition}`, { buffer, at: buffer.fetchAt }]),
    )
    const answer = await this.#link.send(leader, fetchRequest(wanted, this.#options))
    let failure: Error | null = null
    for (const found of answer) {
      const { buffer, at } = asked.get(`${found.topic}/${found.partition}`)!
      if (found.errorCode === 0) this.#listener.fetched(buffer, at, found)
      else if (found.errorCode === OUT_OF_RANGE) this.#listener.outOfRange(buffer)
      else failure = kafkaRefusal(found.errorCode)
    }
    if (failure !== null) throw failure
  }

  /** Says what failed, and waits a moment where it may pass. */
  async #mayGoOn(error: unknown): Promise<boolean> {
    if (this.#isClosed) return false
    this.#listener.failed(error)
    if (!isTransient(error)) return false
    await sleep(PAUSE_MS)
    return !this.#isClosed
  }
}

/** Another comes first each time: a broker fills its answer from the front. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}
