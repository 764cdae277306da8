/**
 * A worker that is wrong on purpose, to see that the verifier can see: `rheo run fraud` over the same adapters, wrapped.
 * `node bench/chaos/broken-worker.ts fencing-off | flush-before-commit`, with the settings of `rheo run` in the environment.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { createOnnxHosts } from '../../scenarios/model-hosts.ts'
import { runWorker } from '../../scenarios/run-worker.ts'
import { RheoError } from '../../schemas/errors.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { createKafkaMembership } from '../../streams/event-log/kafka-membership.ts'
import { openRedisStateStore } from '../../streams/state/redis.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { flushedBeforeCommit, unfencedLog, unfencedStore } from './wrong-adapters.ts'

const PARTITIONS = 4
const [variant] = process.argv.slice(2)
const brokers = process.env['RHEO_KAFKA']!.split(',')
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const say = (msg: string, more: object = {}): unknown => process.stderr.write(`${JSON.stringify({ ...more, msg })}\n`)

async function runOnce(): Promise<void> {
  const replicationFactor = Number(process.env['RHEO_REPLICATION'] ?? -1)
  // Nobody ends what a killed worker left open where ids are never used again: it must not hold readers up for a minute.
  const inner: EventLog = openKafkaLog({ brokers }, { replicationFactor, transactionTimeoutMs: 6_000 })
  const kept: StateStore = await openRedisStateStore({ addresses: [process.env['RHEO_REDIS']!] })
  const log = variant === 'fencing-off' ? unfencedLog(inner) : inner
  const store = variant === 'fencing-off' ? unfencedStore(kept) : flushedBeforeCommit(kept, inner)
  const models = createOnnxHosts({
    featureNames: fraud.featureSet.names,
    read: () => Promise.reject(new RheoError('MODEL_INVALID', 'there are no models here')),
    provider: 'cpu',
    swaps: 'once open',
    onFailure: (error) => say(error.message, { code: error.code }),
  })
  try {
    await runWorker({
      scenario: fraud,
      log,
      store,
      stateIs: 'elsewhere',
      registry: null,
      models,
      newPartitions: PARTITIONS,
      partitions: PARTITIONS,
      membership: async ({ scenario, partitions, sources, stages }) =>
        createKafkaMembership({
          connection: { brokers },
          group: `rheo-${scenario}`,
          topics: [...sources, ...stages].map(({ topic }) => topic),
          partitions,
        }),
      batchRecords: 1_000,
      signal: stop.signal,
      drainMs: 5_000,
      onTopology: () => undefined,
      onStart: (tasks) => say('running', { tasks: tasks.map(({ number }) => number) }),
      onPass: () => undefined,
      onRetry: (error) => say(error.message, { code: error.code }),
    })
  } finally {
    await models.close()
    await store.close()
    await log.close()
  }
}

while (!stop.signal.aborted) {
  try {
    await runOnce()
  } catch (error) {
    if (!(error instanceof RheoError) || !error.retryable) throw error
    say(error.message, { code: error.code })
    await sleep(500)
  }
}
// Timers of its connections may be left.
process.exit(0)
