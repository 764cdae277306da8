import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { createChangeSignal } from './change-signal.ts'
import type { Appends, EventLog, TaskWriter } from './event-log.ts'
import { KafkaAppender } from './kafka-appender.ts'
import { type KafkaConnection, kafkaClient } from './kafka-connection.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import { type Bounds, KafkaReader } from './kafka-reader.ts'
import { Sends } from './kafka-sends.ts'
import { KafkaTogether } from './kafka-together.ts'
import { KafkaTopics, type TopicOptions } from './kafka-topics.ts'
import { KafkaWriter } from './kafka-writer.ts'
import { missingTopic } from './refusals.ts'

export interface KafkaLogOptions extends TopicOptions {
  /** A broker answers a fetch after so long without a record. Idle, it is how often each broker is asked. Default 50. */
  readonly maxWaitMs?: number
  /** Read ahead per partition. Default 8 MiB. */
  readonly bufferBytes?: number
  /** A task's transaction is ended by the brokers when its process hangs so long, and nobody took it over. Default 60,000. */
  readonly transactionTimeoutMs?: number
  /**
   * `truncate` acts on a partition at most so often, and leaves what it skipped to a later call: it costs five requests,
   * and a broker frees whole segments only. Default 10,000.
   */
  readonly truncateEveryMs?: number
}

/** After a commit its records become readable within some milliseconds; behind another's open transaction, later. */
const READABLE_WITHIN_MS = 2_000
const ASK_AGAIN_MS = 3
const PATIENCE_MS = 15_000
const PAUSE_MS = 100

/**
 * The event log over Apache Kafka, by kafkajs. What differs from the embedded logs, within the port's contract:
 *
 * - Offsets have gaps: every transaction leaves a marker.
 * - What a task commits is readable some milliseconds later; `bounds` waits for this object's own commits.
 * - `together` makes one transaction per task, not one in all (kafka-together.ts).
 * - `changed` hears of other processes' records only on partitions that this object reads.
 * - `clean` does nothing: the brokers apply retention and compaction in their own time.
 * - Idle groups lose their positions after the brokers' `offsets.retention.minutes` (7 days).
 *
 * Throws CONFIG_INVALID; whether the brokers answer shows at the first call.
 */
export function openKafkaLog(connection: KafkaConnection, options: KafkaLogOptions = {}): EventLog {
  const kafka = kafkaClient(connection)
  const changes = createChangeSignal()
  let connecting: Promise<Admin> | null = null
  const admin = (): Promise<Admin> => {
    connecting ??= (async () => {
      const client = kafka.admin()
      try {
        await client.connect()
        return client
      } catch (error) {
        connecting = null
        throw kafkaError(error, 'Connecting to Kafka')
      }
    })()
    return connecting
  }
  const topics = new KafkaTopics(admin, options)
  const appender = new KafkaAppender(kafka)
  const together = new KafkaTogether((how) => appender.end(how))
  const writers = new Set<KafkaWriter>()
  /** Ends of own commits that were not seen to be readable yet, by `topic/partition`. */
  const ownEnds = new Map<string, bigint>()
  /** When each partition was truncated last; `performance.now()`. */
  const truncatedMs = new Map<string, number>()
  /** Positions of own commits, by group, topic and partition: what the brokers answer may lag behind. */
  const ownPositions = new Map<string, { readonly next: bigint; readonly atMs: number }>()

  const asOurs = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw kafkaError(error, what)
    }
  }

  /** For questions: asked again while brokers are moving, but not where none was ever reached. */
  const patiently = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
    for (const untilMs = performance.now() + PATIENCE_MS; ; ) {
      try {
        return await ask()
      } catch (error) {
        if (connecting === null || !isTransient(error) || performance.now() > untilMs) throw kafkaError(error, what)
        await sleep(PAUSE_MS)
      }
    }
  }

  const offsets = async (topic: string, partition: number): Promise<Bounds> => {
    const found = (await (await admin()).fetchTopicOffsets(topic)).find((each) => each.partition === partition)
    if (found === undefined) throw missingTopic(topic, partition)
    return { start: BigInt(found.low), end: BigInt(found.high) }
  }

  const bounds = (topic: string, partition: number): Promise<Bounds> =>
    patiently(`Looking up the offsets of ${topic}/${partition}`, async () => {
      await topics.of(topic, partition)
      const own = ownEnds.get(`${topic}/${partition}`) ?? 0n
      const untilMs = performance.now() + READABLE_WITHIN_MS
      let found = await offsets(topic, partition)
      while (found.end < own && performance.now() < untilMs) {
        await sleep(ASK_AGAIN_MS)
        found = await offsets(topic, partition)
      }
      if (ownEnds.get(`${topic}/${partition}`) === own) ownEnds.delete(`${topic}/${partition}`)
      reader.learnEnd(topic, partition, found.end)
      return found
    })

  /** Waits until others can read what was appended, as on the embedded logs; not for long where brokers are moving. */
  const readable = async (sends: Sends): Promise<void> => {
    const untilMs = performance.now() + READABLE_WITHIN_MS
    const ends = sends.ends()
    const isReadable = async (topic: string): Promise<boolean> => {
      const found = new Map(
        (await (await admin()).fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, high]),
      )
      return ends.every((each) => each.topic !== topic || BigInt(found.get(each.partition) ?? 0) >= each.end)
    }
    for (const topic of new Set(ends.map((each) => each.topic))) {
      while (!(await isReadable(topic).catch(notYet)) && performance.now() < untilMs) await sleep(ASK_AGAIN_MS)
    }
  }

  const reader = new KafkaReader(
    kafka,
    { maxWaitMs: options.maxWaitMs ?? 50, bufferBytes: options.bufferBytes ?? 2 ** 23 },
    bounds,
    () => changes.raise(),
  )

  const position = async (group: string, topic: string, partition: number): Promise<bigint | undefined> => {
    const found = await (await admin()).fetchOffsets({ groupId: group, topics: [topic] })
    const offset = found[0]?.partitions.find((each) => each.partition === partition)?.offset
    return offset === undefined || BigInt(offset) < 0n ? undefined : BigInt(offset)
  }

  const committed = (group: string, topic: string, partition: number): Promise<bigint | undefined> =>
    patiently(`Reading the position of ${group} in ${topic}/${partition}`, async () => {
      const own = ownPositions.get(JSON.stringify([group, topic, partition]))
      let found = await position(group, topic, partition)
      while (own !== undefined && found !== own.next && performance.now() - own.atMs < READABLE_WITHIN_MS) {
        await sleep(ASK_AGAIN_MS)
        found = await position(group, topic, partition)
      }
      return found
    })

  const plan = async (appends: readonly Appends[]): Promise<Sends> => {
    for (const { topic, partition } of appends) {
      const spec = topics.known(topic)
      if (spec === undefined || partition < 0 || partition >= spec.partitions) await topics.of(topic, partition)
    }
    return new Sends(appends, (topic) => topics.known(topic)!)
  }

  const done = (sends: readonly Sends[]): void => {
    for (const each of sends) {
      for (const { topic, partition, end } of each.ends()) {
        const name = `${topic}/${partition}`
        if (end > (ownEnds.get(name) ?? 0n)) ownEnds.set(name, end)
      }
    }
    if (sends.some(({ partitions }) => partitions.length > 0)) changes.raise()
  }

  const refuseInside = (what: string): void => {
    if (together.isRunning) throw new Error(`${what} must not be called inside together`)
  }

  return {
    async ensureTopics(specs) {
      refuseInside('ensureTopics')
      await asOurs('Creating topics', () => topics.ensure(specs))
      reader.expect(specs.map(({ name }) => name))
    },
    topics: () => patiently('Listing topics', () => topics.all()),
    async append(appends) {
      return asOurs('Appending', async () => {
        const sends = await plan(appends)
        const joined = together.isRunning
        if (sends.partitions.length > 0) {
          try {
            await appender.append(sends, joined)
          } catch (error) {
            together.spoil(error)
            throw error
          }
          done([sends])
          if (!joined && !sends.isOneBatch) await readable(sends)
        }
        const firsts = sends.firstOffsets()
        return Promise.all(
          appends.map(async ({ topic, partition }, i) => firsts[i] ?? (await bounds(topic, partition)).end),
        )
      })
    },
    fetch(topic, partition, from, limits) {
      const spec = topics.known(topic)
      if (spec !== undefined && partition >= 0 && partition < spec.partitions) {
        return reader.fetch(topic, partition, from, limits)
      }
      return topics.of(topic, partition).then(() => reader.fetch(topic, partition, from, limits))
    },
    bounds,
    async offsetAt(topic, partition, timestampMs) {
      return patiently(`Looking up a time in ${topic}/${partition}`, async () => {
        const { end } = await bounds(topic, partition)
        const found = await (await admin()).fetchTopicOffsetsByTimestamp(topic, timestampMs)
        let at = BigInt(found.find((each) => each.partition === partition)?.offset ?? end)
        // The broker may have found a marker or an aborted record.
        while (at < end) {
          const { records, next } = await reader.fetch(topic, partition, at, { maxRecords: 100, maxBytes: 2 ** 20 })
          const first = records.find((record) => record.timestampMs >= timestampMs)
          if (first !== undefined) return first.offset
          at = next
        }
        return end
      })
    },
    async acquire(group, task): Promise<TaskWriter> {
      refuseInside('acquire')
      return asOurs(`Acquiring task ${task} of group ${group}`, async () => {
        const writer = await KafkaWriter.open(
          {
            kafka,
            transactionTimeoutMs: options.transactionTimeoutMs ?? 60_000,
            plan,
            committed,
            joins: (each) => together.joins(each),
            spoil: (error) => together.spoil(error),
            done(sends, name, positions) {
              done(sends)
              const atMs = performance.now()
              for (const { topic, partition, next } of positions) {
                ownPositions.set(JSON.stringify([name, topic, partition]), { next, atMs })
              }
            },
          },
          group,
          task,
        )
        writers.add(writer)
        return writer
      })
    },
    committed,
    async truncate(topic, partition, before) {
      const name = `${topic}/${partition}`
      const nowMs = performance.now()
      if (nowMs - (truncatedMs.get(name) ?? Number.NEGATIVE_INFINITY) < (options.truncateEveryMs ?? 10_000)) return
      truncatedMs.set(name, nowMs)
      await asOurs(`Dropping records of ${topic}/${partition}`, async () => {
        const { start, end } = await bounds(topic, partition)
        if (before <= start) return
        const offset = before < end ? before : end
        await (await admin()).deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
        reader.forgetBefore(topic, partition, offset)
      })
    },
    clean() {
      refuseInside('clean')
    },
    together: (work) => together.run(work),
    changed: (timeoutMs) => changes.wait(timeoutMs),
    async close() {
      changes.close()
      await reader.close()
      await appender.close()
      for (const writer of writers) await writer.close()
      await (await connecting)?.disconnect()
    },
  }
}

/** Throws what will not pass; else: not yet. */
function notYet(error: unknown): false {
  if (!isTransient(error)) throw error
  return false
}
