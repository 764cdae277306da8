import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import type { Position } from './event-log.ts'
import { isTransient, kafkaError } from './kafka-errors.ts'
import { patiently } from './kafka-patience.ts'
import type { Sends } from './kafka-sends.ts'
import type { KafkaTopics } from './kafka-topics.ts'
import { missingTopic } from './refusals.ts'

/** The first offset still there, and up to where committed records can be read. */
export interface Bounds {
  readonly start: bigint
  readonly end: bigint
}

/**
 * After a commit its records become readable within some milliseconds, on a busy machine within a second or two. Longer
 * ago, another's open transaction stands before them: whoever asks then is told how far can be read now.
 */
const READABLE_WITHIN_MS = 5_000
const ASK_AGAIN_MS = 3

/**
 * What the brokers say about offsets and positions, waiting where their answers lag behind what this process has been
 * told to be done: a commit is acknowledged some milliseconds before its records and positions can be seen.
 */
export class KafkaOffsets {
  readonly #admin: () => Promise<Admin>
  readonly #topics: KafkaTopics
  /** Ends of own commits that were not seen to be readable yet, by `topic/partition`. */
  readonly #ownEnds = new Map<string, { readonly end: bigint; readonly atMs: number }>()
  /** Positions of own commits, by group, topic and partition. */
  readonly #ownPositions = new Map<string, { readonly next: bigint; readonly atMs: number }>()

  constructor(admin: () => Promise<Admin>, topics: KafkaTopics) {
    this.#admin = admin
    this.#topics = topics
  }

  /** This process has sent records, and the brokers have taken them. */
  noteSent(sends: Sends): void {
    const atMs = performance.now()
    for (const { topic, partition, end } of sends.ends()) {
      const name = `${topic}/${partition}`
      if (end > (this.#ownEnds.get(name)?.end ?? 0n)) this.#ownEnds.set(name, { end, atMs })
    }
  }

  /** This process has committed positions. */
  noteCommitted(group: string, positions: readonly Position[]): void {
    const atMs = performance.now()
    for (const { topic, partition, next } of positions) {
      this.#ownPositions.set(JSON.stringify([group, topic, partition]), { next, atMs })
    }
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.patiently(`Looking up the offsets of ${topic}/${partition}`, async () => {
      await this.#topics.of(topic, partition)
      const name = `${topic}/${partition}`
      const own = this.#ownEnds.get(name)
      let found = await this.#offsets(topic, partition)
      while (own !== undefined && found.end < own.end && performance.now() - own.atMs < READABLE_WITHIN_MS) {
        await sleep(ASK_AGAIN_MS)
        found = await this.#offsets(topic, partition)
      }
      if (this.#ownEnds.get(name) === own) this.#ownEnds.delete(name)
      return found
    })
  }

  /** A group's committed position; undefined: none. */
  committed(group: string, topic: string, partition: number): Promise<bigint | undefined> {
    return this.patiently(`Reading the position of ${group} in ${topic}/${partition}`, async () => {
      const own = this.#ownPositions.get(JSON.stringify([group, topic, partition]))
      let found = await this.#position(group, topic, partition)
      while (own !== undefined && found !== own.next && performance.now() - own.atMs < READABLE_WITHIN_MS) {
        await sleep(ASK_AGAIN_MS)
        found = await this.#position(group, topic, partition)
      }
      return found
    })
  }

  /** The first offset at or after a time, as the broker's index has it: it may be a marker's. undefined: none. */
  async atTime(topic: string, partition: number, timestampMs: number): Promise<bigint | undefined> {
    const found = await (await this.#admin()).fetchTopicOffsetsByTimestamp(topic, timestampMs)
    const offset = found.find((each) => each.partition === partition)?.offset
    return offset === undefined ? undefined : BigInt(offset)
  }

  /** Waits until others can read what was sent, as on the embedded logs; not for long where brokers are moving. */
  async readable(sends: Sends): Promise<void> {
    const untilMs = performance.now() + READABLE_WITHIN_MS
    const ends = sends.ends()
    const isReadable = async (topic: string): Promise<boolean> => {
      const found = await (await this.#admin()).fetchTopicOffsets(topic)
      const highs = new Map(found.map(({ partition, high }) => [partition, high]))
      return ends.every((each) => each.topic !== topic || BigInt(highs.get(each.partition) ?? 0) >= each.end)
    }
    for (const topic of new Set(ends.map((each) => each.topic))) {
      while (!(await isReadable(topic).catch(notYet)) && performance.now() < untilMs) await sleep(ASK_AGAIN_MS)
    }
  }

  /** Asks again while brokers are moving, but not where none was ever reached. */
  async patiently<T>(what: string, ask: () => Promise<T>): Promise<T> {
    await this.#admin()
    try {
      return await patiently(ask)
    } catch (error) {
      throw kafkaError(error, what)
    }
  }

  async #offsets(topic: string, partition: number): Promise<Bounds> {
    const all = await (await this.#admin()).fetchTopicOffsets(topic)
    const found = all.find((each) => each.partition === partition)
    if (found === undefined) throw missingTopic(topic, partition)
    return { start: BigInt(found.low), end: BigInt(found.high) }
  }

  async #position(group: string, topic: string, partition: number): Promise<bigint | undefined> {
    const found = await (await this.#admin()).fetchOffsets({ groupId: group, topics: [topic] })
    const answer = found[0]?.partitions.find((each) => each.partition === partition)
    // The client asks for those partitions only that have a leader in the brokers' eyes; nothing heard is not "none".
    if (answer === undefined) throw notAnswered(group, topic, partition)
    const offset = BigInt(answer.offset)
    return offset < 0n ? undefined : offset
  }
}

function notAnswered(group: string, topic: string, partition: number): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `Kafka did not tell the position of ${group} in ${topic}/${partition}.`, {
    retryable: true,
    hint: 'A broker may be starting; if it lasts, look whether each partition has a leader.',
  })
}

/** Throws what will not pass; else: not yet. */
function notYet(error: unknown): false {
  if (!isTransient(error)) throw error
  return false
}
