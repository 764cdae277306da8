import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch, Consumer, Kafka } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import type { Fetched, FetchLimits, MaybePromise } from './event-log.ts'
import { type SkippedBatch, startConsumer } from './kafka-consumer.ts'
import { isTransient } from './kafka-errors.ts'
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
const ARRIVAL_PATIENCE_MS = 30
/** A partition that nobody has asked for so long is not read ahead any more. */
const IDLE_MS = 30_000
const SWEEP_EVERY_MS = 5_000
/** Fetched of a partition at once. */
const MOST_BYTES = 2 ** 20
const RESTART_PAUSE_MS = 200

/**
 * Reads partitions from any offset and ahead of those who ask: one kafkajs consumer in a group of its own, whose
 * assigner gives it every partition of the topics that were asked for; all are paused but those wanted now, so wanting
 * another costs no rebalance. Committed records only.
 *
 * kafkajs would answer an offset that is gone by jumping to another, in silence. So every batch is held against the
 * offset where it should begin, and a jump makes the next fetch look at the partition's bounds again.
 */
export class KafkaReader {
  readonly #kafka: Kafka
  readonly #options: ReaderOptions
  readonly #bounds: (topic: string, partition: number) => Promise<Bounds>
  readonly #arrived: () => void
  readonly #buffers = new Map<string, Map<number, PartitionBuffer>>()
  #wanted = new Set<string>()
  #subscribed: ReadonlySet<string> = new Set()
  #consumer: Consumer | null = null
  #starting: Promise<void> | null = null
  #sweptMs = 0
  #isClosed = false

  constructor(
    kafka: Kafka,
    options: ReaderOptions,
    bounds: (topic: string, partition: number) => Promise<Bounds>,
    arrived: () => void,
  ) {
    this.#kafka = kafka
    this.#options = options
    this.#bounds = bounds
    this.#arrived = arrived
  }

  /** Topics that will be read: named before the first fetch, they cost one join of the group in all. */
  expect(topics: readonly string[]): void {
    for (const topic of topics) this.#wanted.add(topic)
  }

  /** See `EventLog.fetch`. Answers at once where it can: records read ahead, or nothing new as far as is known. */
  fetch(topic: string, partition: number, from: bigint, limits: FetchLimits): MaybePromise<Fetched> {
    const at = Number(from)
    const buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer !== undefined && buffer.readAt === at && this.#consumer !== null) {
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
        if (leftMs <= 0 || this.#consumer === null) return
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
    const consumer = this.#consumer
    this.#consumer = null
    for (const buffers of this.#buffers.values()) for (const buffer of buffers.values()) buffer.wake()
    this.#buffers.clear()
    await consumer?.disconnect().catch(() => undefined)
  }

  #take(buffer: PartitionBuffer, limits: FetchLimits): Fetched {
    const fetched = buffer.take(limits)
    if (buffer.isPaused && buffer.sizeBytes < this.#options.bufferBytes / 2) this.#resume(buffer)
    return fetched
  }

  async #fetchSlowly(topic: string, partition: number, from: bigint, limits: FetchLimits): Promise<Fetched> {
    const untilMs = performance.now() + PATIENCE_MS
    await this.#run(topic, untilMs)
    let buffer = this.#buffers.get(topic)?.get(partition)
    if (buffer === undefined || buffer.readAt !== Number(from)) buffer = await this.#seek(topic, partition, from)
    for (;;) {
      buffer.askedMs = performance.now()
      if (!buffer.isEmpty) return this.#take(buffer, limits)
      if (buffer.readAt >= buffer.knownEnd) return { records: [], next: from, left: buffer.left }
      if (this.#isClosed) throw new Error('the log was closed')
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) throw silent(topic, partition, from)
      await buffer.arrival(Math.min(leftMs, 1_000))
      if (this.#consumer === null) await this.#run(topic, untilMs)
      if (this.#buffers.get(topic)?.get(partition) !== buffer) buffer = await this.#seek(topic, partition, from)
    }
  }

  /** Begins to read at another offset, after a look at what is there. */
  async #seek(topic: string, partition: number, from: bigint): Promise<PartitionBuffer> {
    const { start, end } = await this.#bounds(topic, partition)
    if (from < start || from > end) throw outOfRange(topic, partition, from, Number(start), Number(end))
    const buffer = new PartitionBuffer(topic, partition, Number(from))
    buffer.knownEnd = Number(end)
    const ofTopic = this.#buffers.get(topic) ?? new Map<number, PartitionBuffer>()
    this.#buffers.set(topic, ofTopic)
    ofTopic.get(partition)?.wake()
    ofTopic.set(partition, buffer)
    buffer.askedMs = performance.now()
    this.#aim(buffer)
    return buffer
  }

  /** Tells kafkajs where the partition goes on. */
  #aim(buffer: PartitionBuffer): void {
    const { topic, partition, fetchAt } = buffer
    buffer.seekedMs = performance.now()
    this.#consumer?.seek({ topic, partition, offset: String(fetchAt) })
    this.#resume(buffer)
  }

  #resume(buffer: PartitionBuffer): void {
    buffer.isPaused = false
    this.#consumer?.resume([{ topic: buffer.topic, partitions: [buffer.partition] }])
  }

  #pause(buffer: PartitionBuffer): void {
    buffer.isPaused = true
    this.#consumer?.pause([{ topic: buffer.topic, partitions: [buffer.partition] }])
  }

  #drop(buffer: PartitionBuffer): void {
    this.#pause(buffer)
    this.#buffers.get(buffer.topic)?.delete(buffer.partition)
    buffer.wake()
  }

  /** The consumer runs and reads this topic, afterwards. */
  async #run(topic: string, untilMs: number): Promise<void> {
    while (this.#consumer === null || !this.#subscribed.has(topic)) {
      this.#wanted.add(topic)
      this.#starting ??= this.#start().finally(() => {
        this.#starting = null
      })
      try {
        await this.#starting
      } catch (error) {
        // kafkajs does not wait for a coordinator that is still loading, as after a start.
        if (!isTransient(error) || performance.now() > untilMs) throw error
        await sleep(RESTART_PAUSE_MS)
      }
    }
  }

  async #start(): Promise<void> {
    const former = this.#consumer
    this.#consumer = null
    await former?.disconnect().catch(() => undefined)
    const topics = new Set(this.#wanted)
    const { maxWaitMs, bufferBytes } = this.#options
    const options = { topics: [...topics], maxWaitMs, maxPartitionBytes: Math.min(bufferBytes, MOST_BYTES) }
    const consumer = await startConsumer(this.#kafka, options, {
      joined: (joining, assigned) => {
        this.#consumer = joining
        this.#aimAll(joining, assigned)
      },
      fetching: () => this.#sweep(),
      batch: (batch) => this.#accept(batch),
      skipped: (batch) => this.#skip(batch),
      crashed: (broken) => {
        if (this.#consumer === broken) this.#lose()
      },
    })
    if (this.#isClosed) {
      await consumer.disconnect().catch(() => undefined)
      throw new Error('the log was closed')
    }
    this.#subscribed = topics
  }

  /** Whoever waits starts another consumer, and learns from it what is wrong. */
  #lose(): void {
    this.#consumer = null
    for (const buffers of this.#buffers.values()) for (const buffer of buffers.values()) buffer.wake()
    this.#arrived()
  }

  /** After every join kafkajs has forgotten its positions, and would read everything. */
  #aimAll(consumer: Consumer, assigned: Readonly<Record<string, number[]>>): void {
    for (const [topic, partitions] of Object.entries(assigned)) {
      // One by one: pausing a whole topic and then one of its partitions would resume the others.
      if (partitions.length > 0) consumer.pause([{ topic, partitions }])
      for (const buffer of this.#buffers.get(topic)?.values() ?? []) {
        if (buffer.isPaused) consumer.seek({ topic, partition: buffer.partition, offset: String(buffer.fetchAt) })
        else this.#aim(buffer)
      }
    }
  }

  #accept(batch: Batch): void {
    const buffer = this.#buffers.get(batch.topic)?.get(batch.partition)
    if (buffer === undefined || buffer.isPaused) return
    // The offset that was asked for: the types do not tell of it.
    const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string }
    if (Number(fetchedOffset) !== buffer.fetchAt) {
      this.#drop(buffer)
      return
    }
    buffer.highWatermark = Number(batch.highWatermark)
    buffer.push(batch.messages, Number(batch.lastOffset()) + 1)
    if (buffer.sizeBytes >= this.#options.bufferBytes) this.#pause(buffer)
    this.#arrived()
  }

  #skip(batch: SkippedBatch): void {
    const buffer = this.#buffers.get(batch.topic)?.get(batch.partition)
    if (buffer === undefined || buffer.isPaused) return
    const first = Number(batch.firstOffset)
    const justSeeked = performance.now() - buffer.seekedMs < 2 * this.#options.maxWaitMs + 100
    // An answer from before a seek says nothing about where the partition is read now.
    if (first < buffer.fetchAt || (first > buffer.fetchAt && justSeeked)) return
    buffer.push([], Number(batch.lastOffset) + 1)
    this.#arrived()
  }

  #sweep(): void {
    const nowMs = performance.now()
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return
    this.#sweptMs = nowMs
    for (const buffers of this.#buffers.values()) {
      for (const buffer of buffers.values()) if (nowMs - buffer.askedMs > IDLE_MS) this.#drop(buffer)
    }
  }
}

function silent(topic: string, partition: number, from: bigint): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `Kafka sends nothing of ${topic}/${partition} from offset ${from} on.`, {
    retryable: true,
    hint: 'Records are there: look whether the brokers answer, and whether another producer left a transaction open.',
  })
}
