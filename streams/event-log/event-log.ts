/**
 * The event log: topics of partitioned, ordered records, the only truth of Rheo.
 *
 * Every adapter gives the same guarantees, held by one contract suite (`test/event-log/contract.ts`):
 * - a commit is atomic: all its appends and positions become readable together, or none does;
 * - readers see committed records only, in offset order; offsets grow, but may have gaps;
 * - `acquire` fences: a commit by an earlier holder of the same task fails with FENCED and changes nothing;
 * - what was acknowledged survives a crash of the process (memory: as long as the object lives).
 *
 * Bytes given to the log or got from it are not copied: nobody may change them afterwards.
 *
 * Embedded adapters answer synchronously, networked ones with promises: hence `MaybePromise`.
 */
export type MaybePromise<T> = T | Promise<T>

/** A value that is turned into bytes only when an adapter has to store or send it. The memory log keeps it as it is. */
export interface LazyBytes {
  /** The encoded value. Pure: the same bytes at every call. */
  bytes(): Uint8Array
}

/** A header appended as a string may come back as its UTF-8 bytes (Kafka knows only bytes): read it with `headerText`. */
export type Headers = Readonly<Record<string, string | Uint8Array>>

export interface NewRecord {
  readonly key: Uint8Array | null
  /** null is a tombstone. */
  readonly value: Uint8Array | LazyBytes | null
  readonly headers?: Headers
  /** Milliseconds since 1970: when the record came into being (live: processing time; replay: the replay's clock). */
  readonly timestampMs: number
}

export interface LogRecord {
  readonly offset: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | LazyBytes | null
  readonly headers: Headers
  readonly timestampMs: number
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  /**
   * 'delete' drops records older than retentionMs, from the front. 'compact' keeps at least the newest record of every
   * key; there retentionMs is how long a tombstone is kept.
   */
  readonly cleanup: 'delete' | 'compact'
  /** null keeps everything. */
  readonly retentionMs: number | null
  /** Larger records (key + value + headers) are refused with RECORD_TOO_LARGE; the memory log knows no size of lazy values. */
  readonly maxRecordBytes: number
}

export interface Appends {
  readonly topic: string
  readonly partition: number
  readonly records: readonly NewRecord[]
}

/** Where a consumer group goes on reading: the next offset to fetch. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly next: bigint
}

export interface Transaction {
  readonly appends: readonly Appends[]
  readonly positions: readonly Position[]
}

export interface FetchLimits {
  readonly maxRecords: number
  /** At least one record is returned even when it is larger. */
  readonly maxBytes: number
}

export interface Fetched {
  readonly records: readonly LogRecord[]
  /** The next offset to fetch; larger than the last record's offset, by more than one where there are gaps. */
  readonly next: bigint
  /** About so many records are known to lie behind `next`, though they are not at hand yet. Default 0: none is known of. */
  readonly left?: number
}

/** The right to commit for one task of one consumer group, until the next `acquire` of the same task. */
export interface TaskWriter {
  /** Atomic. Throws FENCED when another process acquired the task since. */
  commit(transaction: Transaction): MaybePromise<void>
  /** The group's committed position, read after fencing the former holder. undefined: nothing committed yet. */
  committed(topic: string, partition: number): MaybePromise<bigint | undefined>
}

export interface EventLog {
  /** Creates what is missing. An existing topic with another partition count or cleanup is a TOPIC_MISMATCH; retention and record size follow the newest wish. */
  ensureTopics(topics: readonly TopicSpec[]): MaybePromise<void>
  /** The topics that exist, by name. */
  topics(): MaybePromise<ReadonlyMap<string, TopicSpec>>
  /** Appends outside any task, atomically over all given partitions: how users and the replay produce. Returns the first offset per entry of `appends`. */
  append(appends: readonly Appends[]): MaybePromise<readonly bigint[]>
  /** Committed records from `from` on. Throws OFFSET_OUT_OF_RANGE when records at `from` were truncated away, or `from` lies beyond the end. */
  fetch(topic: string, partition: number, from: bigint, limits: FetchLimits): MaybePromise<Fetched>
  /** First offset still there and the next offset to be written. */
  bounds(topic: string, partition: number): MaybePromise<{ readonly start: bigint; readonly end: bigint }>
  /** The first offset whose record has a timestamp ≥ timestampMs; the end when there is none. */
  offsetAt(topic: string, partition: number, timestampMs: number): MaybePromise<bigint>
  acquire(group: string, task: string): MaybePromise<TaskWriter>
  /** A group's committed position seen from outside (lag, `rheo state`). */
  committed(group: string, topic: string, partition: number): MaybePromise<bigint | undefined>
  /** Drops records before `before`: repartition topics need none that every projection has taken in. */
  truncate(topic: string, partition: number, before: bigint): MaybePromise<void>
  /** Applies retention (by `nowMs`) and compaction. */
  clean(nowMs: number): MaybePromise<void>
  /**
   * Runs `work`, making all commits and appends inside durable together at its end: one physical transaction where
   * the adapter has one. If it throws, or the process dies, none of them happened. (Kafka has one transaction per task,
   * unless they are united: when the process dies at the end, some tasks' commits may have happened, each whole; and what
   * is inside can be read only afterwards. Truncation inside is not undone there.)
   * Everything that this object writes until `work` ends may belong to it (Kafka: what `work` writes), so one caller at a
   * time: the run loop. One inside another joins it. Inside, `acquire`, `ensureTopics` and `clean` are programmer's
   * mistakes; a refused commit changes nothing and may be caught, any other failure fails the whole.
   */
  together<T>(work: () => MaybePromise<T>): MaybePromise<T>
  /**
   * Where commits are dear: lets `together` be one transaction of all tasks of the group, as it is elsewhere, and lets what
   * is appended to these topics inside be read inside. This object must hold all tasks of the group, and only they append
   * to the topics. Returns whether it is so now: not where a task was lost meanwhile. It ends with the next `acquire` of one
   * of the tasks, here or elsewhere, with topics null, and with the first bracket that fails: that one throws
   * LOG_UNAVAILABLE, retryable, and each task has to be acquired again.
   */
  unite?(group: string, topics: readonly string[] | null): Promise<boolean>
  /**
   * Resolves when something was appended since the last call returned, sometimes for nothing, or after timeoutMs. One
   * waiter per object. Other processes' appends count on partitions that this object has read.
   */
  changed(timeoutMs: number): Promise<void>
  close(): MaybePromise<void>
}
