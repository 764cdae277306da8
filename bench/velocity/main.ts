/**
 * Rheo's side of the velocity bench: the same stateful work over Kafka that other engines do, exactly once, state in Redis.
 *
 * Environment: BOOTSTRAP, APP_ID (prefix of own topics, group and transactional ids), IN_TOPIC and OUT_TOPIC (both exist),
 * STATE_DIR (empty), THREADS (processes that share the tasks; default 1, which commits them as one), RHEO_KAFKA_CLIENT
 * (whose connections: kafkajs, which is the default, or platformatic). Starts a Redis of its own and the processes, and
 * ends them on SIGTERM; ends with 1 when one of them fails.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { withChangelog } from '../../streams/changelog.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { startRedis } from './redis-server.ts'
import { setting } from './setting.ts'
import { velocityTopology } from './velocity-topology.ts'

const { topics } = withChangelog(velocityTopology(setting('APP_ID'), setting('IN_TOPIC'), setting('OUT_TOPIC')))
const log = openKafkaLog({ brokers: setting('BOOTSTRAP').split(',') })
await log.ensureTopics(topics)
await log.close()
const redis = await startRedis(setting('STATE_DIR'))

const env = { ...process.env, REDIS: `127.0.0.1:${redis.port}` }
/** What a batch allocates fits: else V8 would move it to where it collects rarely. */
const execArgv = ['--max-semi-space-size=64']
const count = Number(process.env['THREADS'] ?? 1)
const workers: ChildProcess[] = Array.from({ length: count }, () =>
  fork(join(import.meta.dirname, 'worker.ts'), { env, execArgv }),
)
const stop = (): void => {
  for (const worker of workers) worker.kill('SIGTERM')
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
await Promise.all(
  workers.map(async (worker) => {
    const [code] = (await once(worker, 'exit')) as [number | null]
    if (code !== 0) process.exitCode = 1
    stop()
  }),
)
redis.stop()
