/**
 * Rheo's side of the velocity bench: the same stateful work over Kafka that other engines do, exactly once, state in Redis.
 *
 * Environment: BOOTSTRAP, APP_ID (prefix of own topics, group and transactional ids), IN_TOPIC and OUT_TOPIC (both exist),
 * STATE_DIR (empty). Runs until SIGTERM. Own topics, and the state's changelog, are made at the start.
 */
import { withChangelog } from '../../streams/changelog.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { runLive } from '../../streams/run-live.ts'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import { startRedis } from './redis-server.ts'
import { velocityTopology } from './velocity-topology.ts'

function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set`)
  return value
}

const name = setting('APP_ID')
const topology = withChangelog(velocityTopology(name, setting('IN_TOPIC'), setting('OUT_TOPIC')))
const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())

const redis = await startRedis(setting('STATE_DIR'))
const log = openKafkaLog({ brokers: setting('BOOTSTRAP').split(','), clientId: name })
const store = await openRedisStateStore({ addresses: [`127.0.0.1:${redis.port}`] })
try {
  await log.ensureTopics(topology.topics)
  await runLive({
    topology,
    log,
    store,
    commitPer: 'round',
    signal: stop.signal,
    clock: Date.now,
    batchRecords: 4_000,
  })
} finally {
  await store.close()
  await log.close()
  redis.stop()
}
