import { RheoError } from '../../schemas/errors.ts'
import type { Fetched, FetchLimits, MaybePromise } from './event-log.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import type { FetchedPartition } from './kafka-fetch.ts'
import { KafkaFetcher } from './kafka-fetcher.ts'
import type { Bounds } from './kafka-offsets.ts'
import { PartitionBuffer } from './kafka-partition-buffer.ts'
import { outOfRange } from './refusals.ts'

export interface ReaderOptions {
  /** How long a broker may wait for a first record; also how long a newly asked for partition may have to wait. */
  readonly maxWaitMs: number
  /** What is read ahead per partition. */
  readonly bufferBytes: number
}

/** Nothing arrives although it is there: the brokers are away. */
const PATIENCE_MS = 20_000
/** Brokers that are away for longer are told of, rather than that there is nothing new. */
const UNNOTICED_MS = 4_000
const ARRIVAL_PATIENCE_MS = 30
/** A partition that nobody has asked for so long is not read ahead any more. */
const IDLE_MS = 30_000
/** Fetched of a partition at once. */
const MOST_BYTES = 2 ** 20

/**
 * Reads partitions from any offset and ahead of those who ask. Committed records only. It belongs to no group, so wanting
 * another partition costs nothing but the request.
 */
export class KafkaReader {
  readonly #options: ReaderOptions
  readonly #bounds: (topic: string, partition: number) => Promise<Bounds>
  readonly #arrived: () => void
  readonly #buffers = new Map<string, Map<number, PartitionBuffer>>()
  readonly #fetcher: KafkaFetcher
  /** Why nothing comes, and since when; null: the brokers answer. */
  #trouble: { readonly error: unknown; readonly sinceMs: number } | null = null
  #isClosed = false

  constructor(
    cluster: KafkaCluster,
    options: ReaderOptions,
    bounds: (topic: string, partition: number) => Promise<Bounds>,
    arrived: () => void,
  ) {
    this.#options = options
    this.#bounds = bounds
    this.#arrived = arrived
    const { maxWaitMs, bufferBytes } = options
    const fetching = { maxWaitMs, maxPartitionBytes: Math.min(bufferBytes, MOST_BYTES) }
    this.#fetcher = new KafkaFetcher(cluster, fetching, {
      wanted: () => this.#wanted(),
      fetched: (buffer, fetchAt, found) => this.#accept(buffer, fetchAt, found),
      outOfRange: (buffer) => this.#drop(buffer),
      failed: (error) => this.#fail(error),
    })
  }

  /** See `EventLog.fetch`. Answers at once where it can: records read ahead, or nothing new as far as is known. */
  fetch(topic: string, partition: number, from: bigint, limits: FetchLimits): MaybePromise<Fetched> {
    const at = Number(from)
    const buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer !== undefined && buffer.readAt === at && !this.#isTroubled) {
      buffer.askedMs = performance.now()
      if (!buffer.isEmpty) return this.#take(buffer, limits)
      if (at >= buffer.knownEnd) return { records: [], next: from, left: buffer.left }
    }
    return this.#fetchSlowly(topic, partition, from, limits)
  }

  /** Committed records reach to `end`: a fetch before it waits for them. */
  learnEnd(topic: string, partition: number, end: bigint): void {
    const buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer !== undefined) buffer.knownEnd = Math.max(buffer.knownEnd, Number(end))
  }

  /**
   * Waits until records that were just committed have arrived, where nothing else is at hand to go on with. Not for long:
   * another's open transaction may stand before them.
   */
  async arrivals(ends: readonly { readonly topic: string; readonly partition: number; readonly end: bigint }[]) {
    const untilMs = performance.now() + ARRIVAL_PATIENCE_MS
    for (const { topic, partition, end } of ends) {
      const buffer = this.#buffers.get(topic)?.get(partition)
      if (buffer === undefined || buffer.isPaused) continue
      while (buffer.isEmpty && buffer.fetchAt < Number(end)) {
        const leftMs = untilMs - performance.now()
        if (leftMs <= 0 || this.#trouble !== null) return
        await buffer.arrival(leftMs)
      }
    }
  }

  /** Records before `before` are gone. */
  forgetBefore(topic: string, partition: number, before: bigint): void {
    const buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer !== undefined && buffer.readAt < Number(before)) this.#drop(buffer)
  }

  /** Nobody reads this partition any more, for the time being. */
  release(topic: string, partition: number): void {
    const buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer !== undefined) this.#drop(buffer)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#wakeAll()
    this.#buffers.clear()
    await this.#fetcher.close()
  }

  /** The brokers have been away for a while, or have refused. */
  get #isTroubled(): boolean {
    const trouble = this.#trouble
    return trouble !== null && (!isTransient(trouble.error) || performance.now() - trouble.sinceMs > UNNOTICED_MS)
  }

  #take(buffer: PartitionBuffer, limits: FetchLimits): Fetched {
    const fetched = buffer.take(limits)
    if (buffer.isPaused && buffer.sizeBytes < this.#options.bufferBytes / 2) {
      buffer.isPaused = false
      this.#fetcher.wake()
    }
    return fetched
  }

  async #fetchSlowly(topic: string, partition: number, from: bigint, limits: FetchLimits): Promise<Fetched> {
    const untilMs = performance.now() + PATIENCE_MS
    let buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer === undefined || buffer.readAt !== Number(from)) buffer = await this.#seek(topic, partition, from)
    for (;;) {
      buffer.askedMs = performance.now()
      if (!buffer.isEmpty) return this.#take(buffer, limits)
      if (buffer.readAt >= buffer.knownEnd && !this.#isTroubled) {
        return { records: [], next: from, left: buffer.left }
      }
      if (this.#isClosed) throw new Error('the log was closed')
      const leftMs = untilMs - performance.now()
      const trouble = this.#trouble
      if (trouble !== null && !isTransient(trouble.error)) {
        this.#trouble = null
        this.#fetcher.wake()
        throw kafkaError(trouble.error, `Reading ${topic}/${partition}`)
      }
      if (leftMs <= 0) throw silent(topic, partition, from, trouble?.error)
      this.#fetcher.wake()
      await buffer.arrival(Math.min(leftMs, 1_000))
      if (this.#buffers.get(topic)?.get(partition) !== buffer) buffer = await this.#seek(topic, partition, from)
    }
  }

  /** Begins to read at another offset, after a look at what is there. */
  async #seek(topic: string, partition: number, from: bigint): Promise<PartitionBuffer> {
    const { start, end } = await this.#bounds(topic, partition)
    if (from < start || from > end) throw outOfRange(topic, partition, from, Number(start), Number(end))
    const buffer = new PartitionBuffer(topic, partition, Number(from))
    buffer.knownEnd = Number(end)
    buffer.askedMs = performance.now()
    const ofTopic = this.#buffers.get(topic) ?? new Map<number, PartitionBuffer>()
    this.#buffers.set(topic, ofTopic)
    ofTopic.get(partition)?.wake()
    ofTopic.set(partition, buffer)
    this.#fetcher.wake()
    return buffer
  }

  /** Those to read on; those that nobody has asked for lately are given up. */
  #wanted(): PartitionBuffer[] {
    const idleMs = performance.now() - IDLE_MS
    const wanted: PartitionBuffer[] = []
    for (const buffers of this.#buffers.values()) {
      for (const buffer of buffers.values()) {
        if (buffer.askedMs < idleMs) this.#drop(buffer)
        else if (!buffer.isPaused) wanted.push(buffer)
      }
    }
    return wanted
  }

  #drop(buffer: PartitionBuffer): void {
    if (this.#isCurrent(buffer)) this.#buffers.get(buffer.topic)!.delete(buffer.partition)
    buffer.wake()
  }

  #isCurrent(buffer: PartitionBuffer): boolean {
    return this.#buffers.get(buffer.topic)?.get(buffer.partition) === buffer
  }

  #accept(buffer: PartitionBuffer, fetchAt: number, { batches, next, committedEnd }: FetchedPartition): void {
    const wasTroubled = this.#trouble !== null
    this.#trouble = null
    if (wasTroubled) this.#wakeAll()
    if (!this.#isCurrent(buffer) || buffer.fetchAt !== fetchAt) return
    buffer.committedEnd = committedEnd
    if (next === null) return
    buffer.push(batches, next)
    if (buffer.sizeBytes >= this.#options.bufferBytes) buffer.isPaused = true
    this.#arrived()
  }

  #fail(error: unknown): void {
    this.#trouble = { error, sinceMs: this.#trouble?.sinceMs ?? performance.now() }
    this.#wakeAll()
    this.#arrived()
  }

  #wakeAll(): void {
    for (const buffers of this.#buffers.values()) for (const buffer of buffers.values()) buffer.wake()
  }
}

function silent(topic: string, partition: number, from: bigint, cause: unknown): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `Kafka sends nothing of ${topic}/${partition} from offset ${from} on.`, {
    retryable: true,
    cause,
    hint: 'Records are there: look whether the brokers answer, and whether another producer left a transaction open.',
  })
}
