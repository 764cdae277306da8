import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, Kafka } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import { wholeTopicsAssigner } from './kafka-assigners.ts'
import { kafkaError } from './kafka-errors.ts'

export interface ConsumerOptions {
  readonly topics: readonly string[]
  /** How long a broker may wait for a first record; also how long a partition that was resumed may have to wait. */
  readonly maxWaitMs: number
  readonly maxPartitionBytes: number
}

/** A batch of markers, or of aborted records only: kafkajs steps over it and shows it to nobody. */
export interface SkippedBatch {
  readonly topic: string
  readonly partition: number
  readonly firstOffset: string
  readonly lastOffset: string
}

export interface ConsumerEvents {
  /** It reads these partitions from now on, until they are paused: kafkajs has forgotten all positions and pauses. */
  joined(consumer: Consumer, assigned: Readonly<Record<string, number[]>>): void
  /** Before every request to a broker. */
  fetching(): void
  batch(batch: Batch): void
  skipped(batch: SkippedBatch): void
  /** It has broken down, and will not come back. */
  crashed(consumer: Consumer): void
}

const JOIN_PATIENCE_MS = 30_000

/**
 * A kafkajs consumer in a group of its own (an old member's session would have to run out first), once it has joined.
 * Committed records only; positions are nobody's but the caller's.
 */
export async function startConsumer(kafka: Kafka, options: ConsumerOptions, events: ConsumerEvents): Promise<Consumer> {
  const consumer = kafka.consumer({
    groupId: `rheo-reader-${randomUUID()}`,
    partitionAssigners: [wholeTopicsAssigner],
    allowAutoTopicCreation: false,
    readUncommitted: false,
    sessionTimeout: 30_000,
    heartbeatInterval: 3_000,
    maxWaitTimeInMs: options.maxWaitMs,
    maxBytesPerPartition: options.maxPartitionBytes,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 8, restartOnFailure: async () => false },
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
    await join(consumer, events)
    return consumer
  } catch (error) {
    await consumer.disconnect().catch(() => undefined)
    throw kafkaError(error, 'Reading from Kafka')
  }
}

function join(consumer: Consumer, events: ConsumerEvents): Promise<void> {
  const { GROUP_JOIN, CRASH, FETCH_START, START_BATCH_PROCESS } = consumer.events
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(noGroup()), JOIN_PATIENCE_MS)
    consumer.on(GROUP_JOIN, ({ payload: { memberAssignment } }) => {
      clearTimeout(timer)
      events.joined(consumer, memberAssignment)
      resolve()
    })
    consumer.on(CRASH, ({ payload: { error } }) => {
      clearTimeout(timer)
      reject(error)
      events.crashed(consumer)
    })
    consumer.on(FETCH_START, () => events.fetching())
    consumer.on(START_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize === 0) events.skipped(payload)
    })
    consumer
      .run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: async ({ batch }) => events.batch(batch) })
      .catch(reject)
  })
}

function noGroup(): RheoError {
  const text = `Kafka did not let this reader into its group within ${JOIN_PATIENCE_MS} ms.`
  return new RheoError('LOG_UNAVAILABLE', text, {
    retryable: true,
    hint: 'Look whether the group coordinator answers.',
  })
}
