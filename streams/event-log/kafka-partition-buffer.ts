import type { KafkaMessage } from 'kafkajs'
import type { Fetched, FetchLimits, Headers, LogRecord } from './event-log.ts'
import { NO_HEADERS } from './headers.ts'

/** Messages of one batch as they arrived, and where the partition goes on behind them. */
interface Chunk {
  readonly messages: readonly KafkaMessage[]
  /** The first message not yet taken. */
  head: number
  readonly next: number
}

const NO_RECORDS: readonly LogRecord[] = []

/**
 * What was read of one partition and not yet asked for. It knows two positions: where its reader goes on (`readAt`), and
 * where Kafka goes on (`fetchAt`); between them lies what it holds. Offsets are numbers here: they stay below 2^53.
 */
export class PartitionBuffer {
  readonly topic: string
  readonly partition: number
  readAt: number
  fetchAt: number
  /** Committed records reach at least to here, as far as this process knows. */
  knownEnd = 0
  /** Where the committed records ended when the newest batch was sent. */
  highWatermark = 0
  /** About what it holds: keys and values. */
  sizeBytes = 0
  isPaused = false
  /** When Kafka was last told to go on elsewhere, and when a record was last asked for; `performance.now()`. */
  seekedMs = 0
  askedMs = 0
  #chunks: Chunk[] = []
  #waiting: (() => void)[] = []

  constructor(topic: string, partition: number, at: number) {
    this.topic = topic
    this.partition = partition
    this.readAt = at
    this.fetchAt = at
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0
  }

  /** Offsets that Kafka has behind what was taken. */
  get left(): number {
    return Math.max(0, this.highWatermark - this.readAt)
  }

  /** Takes in a batch (without messages where there were only markers or aborted records). */
  push(messages: readonly KafkaMessage[], next: number): void {
    this.#chunks.push({ messages, head: 0, next })
    for (const { key, value } of messages) this.sizeBytes += (key?.length ?? 0) + (value?.length ?? 0)
    this.fetchAt = next
    this.wake()
  }

  /** What the limits let through, from `readAt` on. Not to be called while it is empty. */
  take({ maxRecords, maxBytes }: FetchLimits): Fetched {
    const records: LogRecord[] = []
    let left = maxBytes
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!
      const { messages } = chunk
      while (chunk.head < messages.length && records.length < maxRecords) {
        const message = messages[chunk.head]!
        const sizeBytes = (message.key?.length ?? 0) + (message.value?.length ?? 0)
        if (sizeBytes > left && records.length > 0) return this.#taken(records)
        left -= sizeBytes
        this.sizeBytes -= sizeBytes
        chunk.head += 1
        records.push(new KafkaRecord(message))
        this.readAt = Number(message.offset) + 1
      }
      if (chunk.head < messages.length) return this.#taken(records)
      this.readAt = chunk.next
      this.#chunks.shift()
    }
    return this.#taken(records)
  }

  #taken(records: readonly LogRecord[]): Fetched {
    return { records: records.length === 0 ? NO_RECORDS : records, next: BigInt(this.readAt), left: this.left }
  }

  /** Resolves when something was pushed, the partition's reading broke off, or the time is over. */
  arrival(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      this.#waiting.push(done)
    })
  }

  wake(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

/** A record as kafkajs read it, in our words. */
class KafkaRecord implements LogRecord {
  readonly #message: KafkaMessage

  constructor(message: KafkaMessage) {
    this.#message = message
  }

  get offset(): bigint {
    return BigInt(this.#message.offset)
  }

  get key(): Uint8Array | null {
    return this.#message.key
  }

  get value(): Uint8Array | null {
    return this.#message.value
  }

  get timestampMs(): number {
    return Number(this.#message.timestamp)
  }

  /** A name that comes twice has its last value; a header without a value is empty. */
  get headers(): Headers {
    const headers = this.#message.headers
    if (headers === undefined) return NO_HEADERS
    const entries = Object.entries(headers)
    if (entries.length === 0) return NO_HEADERS
    return Object.fromEntries(
      entries.map(([name, value]) => [name, (Array.isArray(value) ? value.at(-1) : value) ?? NO_BYTES]),
    )
  }
}

const NO_BYTES = new Uint8Array(0)
