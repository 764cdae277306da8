import type { Admin } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import { createChangeSignal } from './change-signal.ts'
import type { Appends, EventLog, TaskWriter } from './event-log.ts'
import { KafkaAppender } from './kafka-appender.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { type KafkaConnection, kafkaClient, linksOf } from './kafka-connection.ts'
import { kafkaError } from './kafka-errors.ts'
import { type Bounds, KafkaOffsets } from './kafka-offsets.ts'
import { Parting } from './kafka-parting.ts'
import { KafkaReader } from './kafka-reader.ts'
import { Sends } from './kafka-sends.ts'
import { KafkaTogether } from './kafka-together.ts'
import { KafkaTopics, type TopicOptions } from './kafka-topics.ts'
import { UnitedTasks } from './kafka-united.ts'
import { KafkaWriter } from './kafka-writer.ts'

export interface KafkaLogOptions extends TopicOptions {
  /** A broker answers a fetch after so long without a record. Idle, it is how often each broker is asked. Default 50. */
  readonly maxWaitMs?: number
  /** Read ahead per partition. Default 4 MiB. */
  readonly bufferBytes?: number
  /** A task's transaction is ended by the brokers when its process hangs so long, and nobody took it over. Default 60,000. */
  readonly transactionTimeoutMs?: number
  /**
   * `truncate` acts on a partition at most so often, and leaves what it skipped to a later call: it costs five requests,
   * and a broker frees whole segments only. Default 10,000.
   */
  readonly truncateEveryMs?: number
}

/**
 * The event log over Apache Kafka. It asks kafkajs about topics and offsets; what it sends, fetches and commits, it asks of
 * brokers itself, over the connections of kafkajs or of @platformatic/kafka (kafka-link.ts). What differs from the embedded logs, within the port's contract:
 *
 * - Offsets have gaps: every transaction leaves a marker.
 * - What a task commits is readable some milliseconds later; `bounds` waits for this object's own commits.
 * - `together` makes one transaction per task, not one in all (kafka-together.ts), unless the tasks are united.
 * - `changed` hears of other processes' records only on partitions that this object reads.
 * - `clean` does nothing: the brokers apply retention and compaction in their own time.
 * - Idle groups lose their positions after the brokers' `offsets.retention.minutes` (7 days).
 *
 * Throws CONFIG_INVALID; whether the brokers answer shows at the first call.
 */
export function openKafkaLog(connection: KafkaConnection, options: KafkaLogOptions = {}): EventLog {
  const kafka = kafkaClient(connection)
  const cluster = new KafkaCluster(linksOf(connection, kafka), connection.brokers)
  const changes = createChangeSignal()
  let connecting: Promise<Admin> | null = null
  const admin = (): Promise<Admin> => {
    connecting ??= (async () => {
      const client = kafka.admin()
      try {
        await client.connect()
        await client.describeCluster() // kafkajs also counts as connected to what has not said that it is a broker
        return client
      } catch (error) {
        connecting = null
        await client.disconnect().catch(() => undefined)
        throw kafkaError(error, 'Connecting to Kafka')
      }
    })()
    return connecting
  }
  const topics = new KafkaTopics(admin, options)
  const offsets = new KafkaOffsets(admin, topics)
  const appender = new KafkaAppender(cluster)
  const parting = new Parting(cluster)
  /** The tasks that commit as one. A union that has ended fails brackets until another is asked for. */
  let united: UnitedTasks | null = null
  /** Appends of the bracket that is open: others see them once it has ended. */
  let joined: Sends[] = []
  const together = new KafkaTogether(
    async (how) => {
      const sends = joined
      joined = []
      await appender.end(how)
      if (how === 'commit') done(sends)
    },
    () => united,
  )
  /** The newest writer of each task that was acquired here. */
  const writers = new Map<string, KafkaWriter>()
  /** When each partition was truncated last; `performance.now()`. */
  const truncatedMs = new Map<string, number>()

  const asOurs = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw kafkaError(error, what)
    }
  }

  const bounds = async (topic: string, partition: number): Promise<Bounds> => {
    const found = await offsets.bounds(topic, partition)
    reader.learnEnd(topic, partition, found.end)
    return found
  }

  const reader = new KafkaReader(
    cluster,
    { maxWaitMs: options.maxWaitMs ?? 50, bufferBytes: options.bufferBytes ?? 2 ** 22 },
    bounds,
    () => changes.raise(),
  )

  const plan = async (appends: readonly Appends[]): Promise<Sends> => {
    for (const { topic, partition } of appends) {
      const spec = topics.known(topic)
      if (spec === undefined || partition < 0 || partition >= spec.partitions) await topics.of(topic, partition)
    }
    return new Sends(appends, (topic) => topics.known(topic)!)
  }

  const done = (sends: readonly Sends[]): void => {
    for (const each of sends) offsets.noteSent(each)
    if (sends.some(({ partitions }) => partitions.length > 0)) changes.raise()
  }

  const refuseInside = (what: string): void => {
    if (together.isInside) throw new Error(`${what} must not be called inside together`)
  }

  const transactionTimeoutMs = options.transactionTimeoutMs ?? 60_000
  const part = async (group: string): Promise<void> => {
    if (united?.group === group) await united.close()
    await parting.of(group)
  }

  return {
    async ensureTopics(specs) {
      refuseInside('ensureTopics')
      await asOurs('Creating topics', () => topics.ensure(specs))
    },
    topics: () => offsets.patiently('Listing topics', () => topics.all()),
    async append(appends) {
      return asOurs('Appending', async () => {
        const sends = await plan(appends)
        if (sends.partitions.length > 0) {
          const { isInside } = together
          try {
            await appender.append(sends, isInside)
          } catch (error) {
            together.spoil(error)
            throw error
          }
          if (isInside) joined.push(sends)
          else {
            done([sends])
            if (!sends.isOneBatch) await offsets.readable(sends)
          }
        }
        const firsts = sends.firstOffsets()
        return Promise.all(
          appends.map(async ({ topic, partition }, i) => firsts[i] ?? (await bounds(topic, partition)).end),
        )
      })
    },
    fetch(topic, partition, from, limits) {
      const own = together.union?.fetch(topic, partition, from, limits)
      if (own !== undefined) return own
      const spec = topics.known(topic)
      if (spec !== undefined && partition >= 0 && partition < spec.partitions) {
        return reader.fetch(topic, partition, from, limits)
      }
      return topics.of(topic, partition).then(() => reader.fetch(topic, partition, from, limits))
    },
    bounds,
    async offsetAt(topic, partition, timestampMs) {
      return offsets.patiently(`Looking up a time in ${topic}/${partition}`, async () => {
        const { end } = await bounds(topic, partition)
        let at = (await offsets.atTime(topic, partition, timestampMs)) ?? end
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
            cluster,
            transactionTimeoutMs,
            plan,
            part,
            union: () => together.union,
            committed: (...of) => offsets.committed(...of),
            joins: (each) => together.joins(each),
            spoil: (error) => together.spoil(error),
            async done(sends, of, positions) {
              done(sends)
              offsets.noteCommitted(of, positions)
              await reader.arrivals(sends.flatMap((each) => each.ends()))
            },
          },
          group,
          task,
        )
        const name = JSON.stringify([group, task])
        await writers.get(name)?.giveWay()
        writers.set(name, writer)
        return writer
      })
    },
    async unite(group, ownTopics) {
      refuseInside('unite')
      await united?.close()
      united = null
      if (ownTopics === null) return false
      return asOurs(`Uniting the tasks of group ${group}`, async () => {
        const producer = await parting.take(group, transactionTimeoutMs)
        try {
          // Who took one of the tasks over before, is heard of now; who does it later, fences this producer.
          const own = [...writers].filter(([name]) => (JSON.parse(name) as [string])[0] === group)
          const confirmed = own.map(([, writer]) => writer.commit({ appends: [], positions: [] }))
          for (const each of await Promise.allSettled(confirmed)) if (each.status === 'rejected') throw each.reason
          const ends = new Map<string, bigint>()
          for (const topic of ownTopics) {
            const { partitions } = await topics.of(topic, 0)
            const found = await Promise.all(Array.from({ length: partitions }, (_, p) => bounds(topic, p)))
            for (const [p, { end }] of found.entries()) ends.set(`${topic}/${p}`, end)
          }
          united = new UnitedTasks(
            {
              group,
              producer,
              plan,
              fetch: (...of) => reader.fetch(...of),
              release: (...of) => reader.release(...of),
              done(sends, of, positions) {
                done([sends])
                offsets.noteCommitted(of, positions)
              },
            },
            ends,
          )
          return true
        } catch (error) {
          await producer.close()
          if (error instanceof RheoError && error.code === 'FENCED') return false
          throw error
        }
      })
    },
    committed: (group, topic, partition) => offsets.committed(group, topic, partition),
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
      await united?.close()
      for (const writer of writers.values()) await writer.close()
      await cluster.close()
      await (await connecting)?.disconnect()
    },
  }
}
