import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, Kafka } from 'kafkajs'
import type { Membership, MembershipListener } from '../membership.ts'
import { coPartitionedAssigner } from './kafka-assigners.ts'
import { type KafkaConnection, kafkaClient } from './kafka-connection.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import { untilKnown } from './kafka-new-topics.ts'

export interface KafkaMembershipOptions {
  readonly connection: KafkaConnection
  /** The consumer group; the same that the tasks commit their positions under, so that those never expire while it runs. */
  readonly group: string
  /** All topics that tasks read: they exist already. */
  readonly topics: readonly string[]
  /** How many tasks there are; at least one topic has as many partitions. */
  readonly partitions: number
  /** A member that says nothing for so long is out, and others get its tasks. Default 10,000. */
  readonly sessionTimeoutMs?: number
}

/** How often members say that they are there, and so hear of a rebalance: in a third of the session at the latest. */
const HEARTBEAT_MS = 500
const REJOIN_PAUSE_MS = 500

/**
 * Membership by a Kafka consumer group: one per topology. The member reads nothing (every partition is paused; the event
 * log reads), so it heartbeats however busy folding is, as long as no single turn blocks the process for a session.
 *
 * While the group rebalances everybody goes on with what they have, and afterwards only what moved is told: a task may
 * for a moment run twice, and the second to acquire it fences the first. When the brokers are away it tries again for
 * ever, and the tasks stay as they were.
 */
export function createKafkaMembership(options: KafkaMembershipOptions): Membership {
  return new KafkaMembership(options)
}

class KafkaMembership implements Membership {
  readonly #options: KafkaMembershipOptions
  readonly #kafka: Kafka
  #consumer: Consumer | null = null
  /** The consumer, once it is a member. */
  #joined: Consumer | null = null
  #listener: MembershipListener | null = null
  /** What the listener was told, and what the group says. */
  #held: readonly number[] = []
  #wanted: readonly number[] = []
  #sinceMs = 0
  #telling: Promise<void> | null = null
  /** `join` has ended: failures are told to the listener. */
  #isJoined = false

  constructor(options: KafkaMembershipOptions) {
    this.#options = options
    this.#kafka = kafkaClient(options.connection)
  }

  async join(listener: MembershipListener): Promise<void> {
    if (this.#listener !== null) throw new Error('this membership was joined before')
    this.#listener = listener
    try {
      await untilKnown(
        () => this.#startFirst(),
        ({ code }) => code === 'TOPIC_MISSING' && this.#listener !== null,
      )
      await this.#telling
      this.#isJoined = true
    } catch (error) {
      await this.leave()
      throw error
    }
  }

  async leave(): Promise<void> {
    this.#listener = null
    const consumer = this.#consumer
    this.#consumer = null
    await consumer?.disconnect().catch(() => undefined)
    await this.#telling?.catch(() => undefined)
  }

  async #startFirst(): Promise<void> {
    if (this.#listener === null) return
    try {
      await this.#start()
    } catch (error) {
      await this.#consumer?.disconnect().catch(() => undefined)
      throw kafkaError(error, `Joining the group ${this.#options.group}`)
    }
  }

  /** Joins by a new member; resolves when the group has said what is ours. */
  async #start(): Promise<void> {
    const { group, topics, partitions, sessionTimeoutMs = 10_000 } = this.#options
    const consumer = this.#kafka.consumer({
      groupId: group,
      partitionAssigners: [coPartitionedAssigner(partitions, () => ({ held: this.#held, sinceMs: this.#sinceMs }))],
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 3),
      // With everything paused this is how long kafkajs sleeps between two looks at the time.
      maxWaitTimeInMs: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 3) / 2,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 8, restartOnFailure: async () => false },
    })
    this.#consumer = consumer
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics] })
    const { GROUP_JOIN, CRASH } = consumer.events
    await new Promise<void>((resolve, reject) => {
      consumer.on(GROUP_JOIN, ({ payload: { memberAssignment } }) => {
        if (this.#consumer !== consumer) return
        this.#joined = consumer
        this.#assign(consumer, memberAssignment)
        resolve()
      })
      consumer.on(CRASH, ({ payload: { error } }) => {
        reject(error)
        if (this.#isJoined && this.#joined === consumer) void this.#rejoin(error)
      })
      consumer.run({ autoCommit: false, eachBatch: async () => undefined }).catch(reject)
    })
  }

  #assign(consumer: Consumer, assignment: Readonly<Record<string, readonly number[]>>): void {
    const tasks = new Set<number>()
    for (const [topic, partitions] of Object.entries(assignment)) {
      if (partitions.length > 0) consumer.pause([{ topic, partitions: [...partitions] }])
      for (const partition of partitions) tasks.add(partition)
    }
    this.#wanted = [...tasks].sort((a, b) => a - b)
    this.#sinceMs = Date.now()
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = null
    })
    if (this.#isJoined) this.#telling.catch((error) => this.#listener?.failed(error))
  }

  /** Tells the listener what changed, until it has heard of the newest assignment. */
  async #tell(): Promise<void> {
    let told = false
    while (this.#listener !== null && (!told || !sameTasks(this.#held, this.#wanted))) {
      const { listener, wanted, held } = { listener: this.#listener, wanted: this.#wanted, held: this.#held }
      const revoked = held.filter((task) => !wanted.includes(task))
      const assigned = wanted.filter((task) => !held.includes(task))
      this.#held = wanted
      if (revoked.length > 0) await listener.revoked(revoked)
      if (assigned.length > 0) await listener.assigned(assigned)
      told = true
    }
  }

  /** The member broke down: a new one, again and again while that may help. */
  async #rejoin(error: unknown): Promise<void> {
    let cause = error
    for (;;) {
      const failure = kafkaError(cause, `Keeping the membership of ${this.#options.group}`)
      if (!isTransient(cause)) {
        this.#listener?.failed(failure)
        return
      }
      await this.#consumer?.disconnect().catch(() => undefined)
      if (this.#listener === null) return
      await sleep(REJOIN_PAUSE_MS)
      if (this.#listener === null) return
      try {
        return await this.#start()
      } catch (next) {
        cause = next
      }
    }
  }
}

function sameTasks(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((task, i) => task === b[i])
}
