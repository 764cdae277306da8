import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import type { Appends, EventLog, TaskWriter, TopicSpec, Transaction } from '../../streams/event-log/event-log.ts'
import { type KafkaLogOptions, openKafkaLog } from '../../streams/event-log/kafka.ts'
import type { KafkaClientName } from '../../streams/event-log/kafka-connection.ts'

/** The broker that these tests run against. */
export const BROKER = process.env['RHEO_TEST_KAFKA'] ?? '127.0.0.1:19092'

/** The clients over whose connections the log can work. */
export const CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic']

/** Fails, with what to do, where no broker answers: these tests never skip. */
export async function needBroker(address = BROKER, variable = 'RHEO_TEST_KAFKA'): Promise<void> {
  const [host = '', port = ''] = address.split(':')
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port: Number(port), timeout: 5_000 })
    const fail = () => {
      socket.destroy()
      reject(new Error(`No Kafka broker answers at ${address}. Start one (deploy/local), or set ${variable}.`))
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', fail)
    socket.once('timeout', fail)
  })
}

/** A name that no other test and no other run uses. */
export function uniqueName(): string {
  return `t${randomUUID().slice(0, 8)}`
}

export function openTestLog(options: KafkaLogOptions = {}, client: KafkaClientName = 'kafkajs'): EventLog {
  return openKafkaLog({ brokers: [BROKER], client }, { maxWaitMs: 5, truncateEveryMs: 0, ...options })
}

/**
 * The log as if it held nothing but topics and groups whose names begin with `prefix`: one broker serves many tests, and
 * each sees the short names that it uses.
 */
export function prefixed(log: EventLog, prefix: string): EventLog {
  const long = (topic: string) => `${prefix}.${topic}`
  const appendsOf = (appends: readonly Appends[]) => appends.map((each) => ({ ...each, topic: long(each.topic) }))
  const writer = (inner: TaskWriter): TaskWriter => ({
    commit: ({ appends, positions }: Transaction) =>
      inner.commit({
        appends: appendsOf(appends),
        positions: positions.map((each) => ({ ...each, topic: long(each.topic) })),
      }),
    committed: (topic, partition) => inner.committed(long(topic), partition),
  })
  return {
    ensureTopics: (topics) => log.ensureTopics(topics.map((spec) => ({ ...spec, name: long(spec.name) }))),
    async topics() {
      const found = new Map<string, TopicSpec>()
      for (const [name, spec] of await log.topics()) {
        if (!name.startsWith(`${prefix}.`)) continue
        const short = name.slice(prefix.length + 1)
        found.set(short, { ...spec, name: short })
      }
      return found
    },
    append: (appends) => log.append(appendsOf(appends)),
    fetch: (topic, partition, from, limits) => log.fetch(long(topic), partition, from, limits),
    bounds: (topic, partition) => log.bounds(long(topic), partition),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(long(topic), partition, timestampMs),
    acquire: async (group, task) => writer(await log.acquire(long(group), task)),
    committed: (group, topic, partition) => log.committed(long(group), long(topic), partition),
    truncate: (topic, partition, before) => log.truncate(long(topic), partition, before),
    clean: (nowMs) => log.clean(nowMs),
    unite: (group, topics) => log.unite!(long(group), topics?.map(long) ?? null),
    together: (work) => log.together(work),
    changed: (timeoutMs) => log.changed(timeoutMs),
    close: () => log.close(),
  }
}
