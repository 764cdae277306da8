import type { Fetched, FetchLimits, LogRecord } from './event-log.ts'
import type { KafkaRecord, RecordBatch } from './kafka-record-batch.ts'

/** Batches as they arrived together, and where the partition goes on behind them. */
interface Chunk {
  readonly batches: readonly RecordBatch[]
  /** The first batch not yet taken whole. */
  head: number
  readonly next: number
  readonly sizeBytes: number
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
  committedEnd = 0
  /** What it holds, as it came. */
  sizeBytes = 0
  /** Nothing more is read ahead. */
  isPaused = false
  /** When a record was last asked for; `performance.now()`. */
  askedMs = 0
  #chunks: Chunk[] = []
  /** Decoded, and not taken yet. */
  #peeked: KafkaRecord | null = null
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
    return Math.max(0, this.committedEnd - this.readAt)
  }

  /** Takes in batches (none where there were only markers or aborted records). */
  push(batches: readonly RecordBatch[], next: number): void {
    let sizeBytes = 0
    for (const batch of batches) sizeBytes += batch.sizeBytes
    this.#chunks.push({ batches, head: 0, next, sizeBytes })
    this.sizeBytes += sizeBytes
    this.fetchAt = next
    this.wake()
  }

  /** What the limits let through, from `readAt` on. Not to be called while it is empty. */
  take({ maxRecords, maxBytes }: FetchLimits): Fetched {
    const records: LogRecord[] = []
    let left = maxBytes
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!
      for (;;) {
        const record = this.#peek(chunk)
        if (record === null) break
        if (records.length === maxRecords || (record.sizeBytes > left && records.length > 0))
          return this.#taken(records)
        this.#peeked = null
        left -= record.sizeBytes
        records.push(record)
        this.readAt = record.at + 1
      }
      this.readAt = chunk.next
      this.sizeBytes -= chunk.sizeBytes
      this.#chunks.shift()
    }
    return this.#taken(records)
  }

  /** The chunk's next record; null: all are taken. A broker sends whole batches, so those before `readAt` are passed over. */
  #peek(chunk: Chunk): KafkaRecord | null {
    while (this.#peeked === null && chunk.head < chunk.batches.length) {
      const record = chunk.batches[chunk.head]!.next()
      if (record === null) chunk.head += 1
      else if (record.at >= this.readAt) this.#peeked = record
    }
    return this.#peeked
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
