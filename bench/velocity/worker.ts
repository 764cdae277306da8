/** One process of Rheo's side of the velocity bench: shares the tasks with the others by a Kafka consumer group. */
import { collectBySize } from '../../cli/garbage.ts'
import { withChangelog } from '../../streams/changelog.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { createKafkaMembership } from '../../streams/event-log/kafka-membership.ts'
import { runLive } from '../../streams/run-live.ts'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import { setting } from './setting.ts'
import { PARTITIONS, velocityTopology } from './velocity-topology.ts'

collectBySize()

const BATCH_RECORDS = 4_000

const name = setting('APP_ID')
const topology = withChangelog(velocityTopology(name, setting('IN_TOPIC'), setting('OUT_TOPIC')))
const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())

const client = process.env['RHEO_KAFKA_CLIENT'] === 'platformatic' ? 'platformatic' : 'kafkajs'
const connection = { brokers: setting('BOOTSTRAP').split(','), clientId: name, client } as const
const log = openKafkaLog(connection)
const store = await openRedisStateStore({ addresses: [setting('REDIS')] })
const read = [...topology.sources, ...topology.stages].map(({ topic }) => topic)
try {
  await log.ensureTopics(topology.topics)
  await runLive({
    topology,
    log,
    store,
    membership: createKafkaMembership({ connection, group: `rheo-${name}`, topics: read, partitions: PARTITIONS }),
    commitPer: 'round',
    signal: stop.signal,
    clock: Date.now,
    batchRecords: BATCH_RECORDS,
  })
} finally {
  await store.close()
  await log.close()
}
