import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog, LogRecord } from '../../streams/event-log/event-log.ts'

const LIMITS = { maxRecords: 5_000, maxBytes: 16 * 1_048_576 }

/** Reads the topic of scores with read_committed as they come, and notes how long nothing came. */
export class ScoreWatch {
  readonly #log: EventLog
  readonly #topic: string
  readonly #next: bigint[]
  readonly #onScores: (records: readonly LogRecord[], nowMs: number) => void
  seen = 0
  /** The longest time without a score, ms, and when it ended (performance.now()). */
  longestGapMs = 0
  longestGapEndMs = 0
  lastMs = Number.NEGATIVE_INFINITY
  /** Reads that failed and were done again. */
  failures = 0

  constructor(
    log: EventLog,
    topic: string,
    partitions: number,
    onScores: (records: readonly LogRecord[], nowMs: number) => void = () => undefined,
  ) {
    this.#log = log
    this.#topic = topic
    this.#next = Array.from({ length: partitions }, () => 0n)
    this.#onScores = onScores
  }

  /** Reads until the signal aborts. */
  async run(signal: AbortSignal, pauseMs: number): Promise<void> {
    while (!signal.aborted) {
      const found = await Promise.all(this.#next.map((_, partition) => this.#read(partition)))
      if (!found.some((count) => count > 0)) await Promise.race([this.#log.changed(pauseMs), sleep(pauseMs)])
    }
  }

  async #read(partition: number): Promise<number> {
    try {
      const { records, next } = await this.#log.fetch(this.#topic, partition, this.#next[partition]!, LIMITS)
      const nowMs = performance.now()
      this.#next[partition] = next
      if (records.length === 0) return 0
      this.seen += records.length
      if (Number.isFinite(this.lastMs) && nowMs - this.lastMs > this.longestGapMs) {
        this.longestGapMs = nowMs - this.lastMs
        this.longestGapEndMs = nowMs
      }
      this.lastMs = nowMs
      this.#onScores(records, nowMs)
      return records.length
    } catch (error) {
      // A broker is away: the next look goes on from the same offset.
      this.failures++
      if (this.failures > 100_000) throw error
      await sleep(100)
      return 0
    }
  }
}
