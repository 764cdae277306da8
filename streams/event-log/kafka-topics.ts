import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs'
import type { TopicSpec } from './event-log.ts'
import { kafkaError } from './kafka-errors.ts'
import { untilKnown } from './kafka-new-topics.ts'
import { checkTopics, missingTopic } from './refusals.ts'

// Node sees only some of the names that this package exports.
const { ConfigResourceTypes } = kafkajs

export interface TopicOptions {
  /** Copies of each partition of new topics. Default −1: the brokers' own default. */
  readonly replicationFactor?: number
  /** Copies that must have a record before it counts as written. Default: the brokers' own. */
  readonly minInsyncReplicas?: number
}

/**
 * The most that Kafka adds to a record of its own (batch and record headers, lengths of keys and headers): the topic's
 * max.message.bytes is maxRecordBytes and this.
 */
export const BATCH_OVERHEAD_BYTES = 1_024
/** `retention.ms` for ever; and for tombstones, where Kafka adds it to a time and must not overflow, a hundred years. */
const FOREVER_MS = -1
/** Records are not compacted before: the changelog needs the states before a flush until it counts (`streams/changelog.ts`). */
const COMPACTION_LAG_MS = 900_000
/** The newest segment of a partition is never compacted. */
const COMPACTED_SEGMENT_BYTES = 128 * 1_048_576
const CENTURY_MS = 100 * 365.25 * 86_400_000
/** Kafka refuses records from more than an hour ahead of its clock by default; other logs do not, and the intake judges itself. */
const ANY_TIME_MS = '9223372036854775807'

/** The topics of a Kafka cluster, as far as this process has heard of them. */
export class KafkaTopics {
  readonly #admin: () => Promise<Admin>
  readonly #options: TopicOptions
  #known = new Map<string, TopicSpec>()

  constructor(admin: () => Promise<Admin>, options: TopicOptions) {
    this.#admin = admin
    this.#options = options
  }

  /** The topic, when it was heard of. */
  known(topic: string): TopicSpec | undefined {
    return this.#known.get(topic)
  }

  /** Those heard of, by name. */
  get names(): readonly string[] {
    return [...this.#known.keys()]
  }

  /** The topic, asked for where it is new. Throws TOPIC_MISSING, also when it has no such partition. */
  async of(topic: string, partition: number): Promise<TopicSpec> {
    let spec = this.#known.get(topic)
    if (spec === undefined) {
      const admin = await this.#admin()
      if ((await admin.listTopics()).includes(topic)) spec = (await this.#describe(admin, [topic])).get(topic)
    }
    if (spec === undefined || partition < 0 || partition >= spec.partitions) throw missingTopic(topic, partition)
    return spec
  }

  /** What the topic is now, whatever was heard before. */
  async refresh(topic: string, partition: number): Promise<TopicSpec> {
    this.#known.delete(topic)
    return this.of(topic, partition)
  }

  /** All topics but Kafka's own (`__…`). */
  async all(): Promise<ReadonlyMap<string, TopicSpec>> {
    const admin = await this.#admin()
    const names = (await admin.listTopics()).filter((name) => !name.startsWith('__'))
    return this.#describe(admin, names)
  }

  /** Creates what is missing and waits until it has leaders; retention and sizes follow the newest wish. */
  async ensure(wanted: readonly TopicSpec[]): Promise<void> {
    const admin = await this.#admin()
    const existing = new Set(await admin.listTopics())
    const found = await this.#describe(
      admin,
      wanted.map(({ name }) => name).filter((name) => existing.has(name)),
    )
    checkTopics(wanted, (name) => found.get(name))
    const missing = wanted.filter(({ name }) => !found.has(name))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: false,
        topics: missing.map(
          (spec): ITopicConfig => ({
            topic: spec.name,
            numPartitions: spec.partitions,
            replicationFactor: this.#options.replicationFactor ?? -1,
            configEntries: [...this.#settings(spec)].map(([name, value]) => ({ name, value })),
          }),
        ),
      })
      const created = await this.#describe(
        admin,
        missing.map(({ name }) => name),
      )
      // Another process may have created one of them a moment before, in another way.
      checkTopics(missing, (name) => created.get(name))
    }
    for (const spec of wanted) {
      const is = found.get(spec.name)
      if (is === undefined || (is.retentionMs === spec.retentionMs && is.maxRecordBytes === spec.maxRecordBytes))
        continue
      await this.#alter(admin, spec)
    }
    for (const spec of wanted) this.#known.set(spec.name, spec)
  }

  /** Topics that exist; some of them may be new. */
  #describe(admin: Admin, names: readonly string[]): Promise<Map<string, TopicSpec>> {
    return untilKnown(
      () => this.#describeOnce(admin, names),
      ({ retryable }) => retryable,
    )
  }

  /** Kafka's alterConfigs replaces all of a topic's own settings, so those that nobody spoke of are sent again. */
  async #alter(admin: Admin, spec: TopicSpec): Promise<void> {
    const settings = new Map<string, string>()
    const described = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: spec.name }],
    })
    for (const { configEntries } of described.resources) {
      for (const { configName, configValue, isDefault } of configEntries) {
        if (!isDefault) settings.set(configName, configValue)
      }
    }
    for (const [name, value] of this.#settings(spec)) settings.set(name, value)
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: spec.name,
          configEntries: [...settings].map(([name, value]) => ({ name, value })),
        },
      ],
    })
  }

  #settings({ cleanup, retentionMs, maxRecordBytes }: TopicSpec): ReadonlyMap<string, string> {
    const settings = new Map([
      ['cleanup.policy', cleanup],
      ['retention.ms', `${cleanup === 'delete' && retentionMs !== null ? retentionMs : FOREVER_MS}`],
      ['max.message.bytes', `${maxRecordBytes + BATCH_OVERHEAD_BYTES}`],
      ['message.timestamp.after.max.ms', ANY_TIME_MS],
    ])
    if (cleanup === 'compact') {
      settings.set('delete.retention.ms', `${retentionMs ?? CENTURY_MS}`)
      settings.set('min.compaction.lag.ms', `${COMPACTION_LAG_MS}`)
      settings.set('segment.bytes', `${COMPACTED_SEGMENT_BYTES}`)
    }
    const { minInsyncReplicas } = this.#options
    if (minInsyncReplicas !== undefined) settings.set('min.insync.replicas', `${minInsyncReplicas}`)
    return settings
  }

  async #describeOnce(admin: Admin, names: readonly string[]): Promise<Map<string, TopicSpec>> {
    const specs = new Map<string, TopicSpec>()
    if (names.length === 0) return specs
    try {
      const [{ topics }, { resources }] = await Promise.all([
        admin.fetchTopicMetadata({ topics: [...names] }),
        admin.describeConfigs({
          includeSynonyms: false,
          resources: names.map((name) => ({
            type: ConfigResourceTypes.TOPIC,
            name,
            configNames: ['cleanup.policy', 'retention.ms', 'delete.retention.ms', 'max.message.bytes'],
          })),
        }),
      ])
      const settingsOf = new Map(
        resources.map(({ resourceName, configEntries }) => [
          resourceName,
          new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
        ]),
      )
      for (const { name, partitions } of topics) {
        specs.set(name, specOf(name, partitions.length, settingsOf.get(name) ?? new Map<string, string>()))
      }
    } catch (error) {
      throw kafkaError(error, `Looking up ${names.join(', ')}`)
    }
    for (const [name, spec] of specs) this.#known.set(name, spec)
    return specs
  }
}

function specOf(name: string, partitions: number, settings: ReadonlyMap<string, string>): TopicSpec {
  const cleanup = settings.get('cleanup.policy')?.includes('compact') ? 'compact' : 'delete'
  const retentionMs = Number(settings.get(cleanup === 'compact' ? 'delete.retention.ms' : 'retention.ms'))
  return {
    name,
    partitions,
    cleanup,
    retentionMs: retentionMs < 0 || retentionMs >= CENTURY_MS ? null : retentionMs,
    maxRecordBytes: Number(settings.get('max.message.bytes')) - BATCH_OVERHEAD_BYTES,
  }
}
