import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Kafka, logLevel } from 'kafkajs'
import type { LocalServers } from '../servers/local-servers.ts'
import type { Crew } from './crew.ts'
import type { Fault, FaultKind } from './faults.ts'

const STOPPED_MS = 30_000
const AT_WORK_MS = 45_000
const STORM_ROUNDS = 2

export interface Injected {
  readonly kind: FaultKind
  /** Since the first payment, ms: when it began, and when what was broken was up again. */
  readonly fromMs: number
  readonly untilMs: number
}

/** Does faults to servers and workers. Faults of one lane wait for each other; lanes overlap. */
export class Injector {
  readonly #servers: LocalServers
  readonly #crew: Crew
  readonly #lanes = new Map<string, Promise<void>>()
  readonly injected: Injected[] = []

  constructor(servers: LocalServers, crew: Crew) {
    this.#servers = servers
    this.#crew = crew
  }

  /** Does each fault at its time, or when the ones before it in its lane are over. Resolves when all are over. */
  async run(faults: readonly Fault[], startMs: number, signal: AbortSignal): Promise<void> {
    for (const fault of faults) {
      const waitMs = startMs + fault.atMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal })
      const lane = laneOf(fault.kind)
      const before = this.#lanes.get(lane) ?? Promise.resolve()
      const done = before.then(async () => {
        if (signal.aborted) return
        const fromMs = performance.now() - startMs
        await this.#inject(fault)
        this.injected.push({ kind: fault.kind, fromMs, untilMs: performance.now() - startMs })
      })
      // Awaited below; until then a failure must not end the process.
      done.catch(() => undefined)
      this.#lanes.set(lane, done)
    }
    await Promise.all(this.#lanes.values())
  }

  async #inject({ kind, which, howLong }: Fault): Promise<void> {
    const servers = this.#servers
    switch (kind) {
      case 'worker killed': {
        const place = this.#crew.pick(which)
        if (place === null) return
        await this.#crew.kill(place)
        await sleep(1_500 * howLong)
        await this.#crew.start(place).runs(AT_WORK_MS)
        return
      }
      case 'worker stopped for 30 s': {
        const place = this.#crew.pick(which)
        if (place === null) return
        const worker = this.#crew.at(place)
        worker.signal('SIGSTOP')
        await sleep(STOPPED_MS)
        worker.signal('SIGCONT')
        return
      }
      case 'broker killed':
        await servers.kill(`broker ${Math.floor(which * servers.brokers.length)}`)
        await sleep(3_000 * howLong)
        await servers.start('kafka3')
        await untilWhole(servers.brokers)
        return
      case 'Redis killed':
        await servers.kill('redis')
        await sleep(2_000 * howLong)
        await servers.start('redis')
        return
      case 'Redis emptied': {
        const redis = new Redis(servers.redisPort, '127.0.0.1')
        await redis.flushall()
        redis.disconnect()
        return
      }
      case 'rebalance storm':
        for (let round = 0; round < STORM_ROUNDS; round++) {
          const guest = this.#crew.startGuest()
          await guest.runs(AT_WORK_MS)
          await sleep(2_000 * howLong)
          guest.signal('SIGTERM')
          await guest.ended
        }
        return
    }
  }
}

function laneOf(kind: FaultKind): string {
  return kind === 'Redis emptied' ? 'Redis killed' : kind
}

/** Waits until every partition has all its replicas in sync, so that the next broker may die. */
async function untilWhole(brokers: readonly string[]): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    for (;;) {
      const { topics } = await admin.fetchTopicMetadata()
      const partitions = topics.flatMap((topic) => topic.partitions)
      if (partitions.every(({ isr, replicas }) => isr.length === replicas.length)) return
      await sleep(300)
    }
  } finally {
    await admin.disconnect()
  }
}
