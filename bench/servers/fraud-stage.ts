import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Producer } from 'kafkajs'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import type { Topology } from '../../streams/topology.ts'
import { type LocalServers, startServers } from './local-servers.ts'
import { openSender } from './sender.ts'
import { Worker } from './worker.ts'

const READY_MS = 180_000

/** One broker, Redis, the topics of the fraud scenario, a reader and a producer: where workers are measured. */
export interface FraudStage {
  readonly servers: LocalServers
  readonly topology: Topology
  /** Reads with read_committed. */
  readonly log: EventLog
  readonly sender: Producer
  /** Starts `rheo run fraud` and waits until it runs tasks. */
  startWorker(): Promise<Worker>
  /** SIGTERM, and waits until it has ended. */
  stopWorker(worker: Worker): Promise<void>
  /** CPU seconds used so far, by who used them. */
  cpuSeconds(): Readonly<Record<'workers' | 'broker' | 'redis', number>>
}

/** Does `work` on a stage of its own, and takes it down again. */
export async function onFraudStage<T>(work: (stage: FraudStage) => Promise<T>, partitions = 4): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'rheo-stage-'))
  const servers = await startServers('kafka', { REDIS_MAXMEMORY: '8gb' })
  const log = openKafkaLog({ brokers: servers.brokers }, { maxWaitMs: 20 })
  const workers: Worker[] = []
  try {
    const sender = await openSender(servers.brokers)
    try {
      const topology = fraud.topology(partitions)
      await log.ensureTopics(topology.topics)
      return await work({
        servers,
        topology,
        log,
        sender,
        async startWorker() {
          const worker = new Worker(`worker-${workers.length + 1}`, directory, servers.environment)
          workers.push(worker)
          if (await worker.runs(READY_MS)) return worker
          throw new Error(`${worker.name} did not start:\n${worker.lastLines.join('\n')}`)
        },
        async stopWorker(worker) {
          worker.signal('SIGTERM')
          await worker.ended
        },
        cpuSeconds: () => ({
          workers: workers.filter(({ hasEnded }) => !hasEnded).reduce((sum, worker) => sum + worker.cpuSeconds(), 0),
          broker: servers.cpuSeconds('broker 0'),
          redis: servers.cpuSeconds('redis'),
        }),
      })
    } finally {
      await sender.disconnect()
    }
  } finally {
    await Promise.all(workers.filter(({ hasEnded }) => !hasEnded).map((worker) => worker.kill()))
    await log.close()
    await servers.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
