import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import type { Membership, MembershipListener } from '../../streams/membership.ts'
import { partitionOf } from '../../streams/partition.ts'
import { runLive } from '../../streams/run-live.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateStore } from '../../streams/state/state-store.ts'

const PARTITIONS = 4
const topology = fraud.topology(PARTITIONS)
const [payments] = topology.sources
const NOW_MS = Date.UTC(2026, 0, 3)
const stream = [
  ...generatePayments({ payments: 400, days: 2, start: NOW_MS - 2 * 86_400_000, seed: 3, world: 'drift' }),
]

let log: EventLog
let store: StateStore
beforeEach(async () => {
  log = createMemoryLog()
  store = createMemoryStateStore()
  await log.ensureTopics(topology.topics)
})

/** A membership that the test moves by hand. */
function byHand(first: readonly number[]): Membership & { listener: MembershipListener } {
  const membership = {
    listener: null as unknown as MembershipListener,
    async join(listener: MembershipListener) {
      membership.listener = listener
      await listener.assigned(first)
    },
    leave: () => Promise.resolve(),
  }
  return membership
}

function worker(membership: Membership, signal: AbortSignal): Promise<void> {
  return runLive({
    topology,
    log,
    store,
    membership,
    commitPer: 'round',
    signal,
    clock: () => NOW_MS,
    batchRecords: 20,
    flushEveryMs: 5,
    idleMs: 2,
  })
}

async function produce(from: number, until: number): Promise<void> {
  const appends = Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: payments!.topic,
    partition,
    records: stream
      .slice(from, until)
      .filter(({ payment }) => partitionOf(payment.customerId, PARTITIONS) === partition)
      .map(({ payment }) => ({
        key: Buffer.from(payment.customerId),
        value: payments!.codec.encode(payment),
        timestampMs: NOW_MS,
      })),
  }))
  await log.append(appends)
}

async function scoredIds(): Promise<string[]> {
  const ids: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { records } = await log.fetch(fraud.scores.topic.name, partition, 0n, { maxRecords: 1e6, maxBytes: 1e9 })
    for (const { key } of records) ids.push(Buffer.from(key!).toString())
  }
  return ids.sort()
}

const idsOf = (until: number): string[] =>
  stream
    .slice(0, until)
    .map(({ payment }) => payment.paymentId)
    .sort()

async function untilScored(count: number): Promise<void> {
  while ((await scoredIds()).length < count) await sleep(5)
}

describe('workers that share the tasks of a topology', () => {
  it('score every payment once while tasks move to and fro between them', async () => {
    const stop = new AbortController()
    const left = byHand([0, 1, 2, 3])
    const right = byHand([])
    const running = [worker(left, stop.signal), worker(right, stop.signal)]
    await produce(0, 100)
    await untilScored(100)
    for (let move = 0; move < 6; move++) {
      const moved = [[0], [1, 2], [3]][move % 3]!
      const [from, to] = move < 3 ? [left, right] : [right, left]
      await produce(100 + move * 50, 150 + move * 50)
      await from.listener.revoked(moved)
      await to.listener.assigned(moved)
    }
    await untilScored(400)
    stop.abort()
    await Promise.all(running)
    expect(await scoredIds()).toEqual(idsOf(400))
  })

  it('end though the membership has more to tell, and waits until it is heard, before it lets them go', async () => {
    const stop = new AbortController()
    const membership = byHand([0, 1])
    membership.leave = async () => {
      await membership.listener.revoked([0])
      await membership.listener.assigned([2])
    }
    const running = worker(membership, stop.signal)
    await produce(0, 50)
    stop.abort()
    await running
  })

  it('leave a task to whoever has acquired it, and go on with the others', async () => {
    const stop = new AbortController()
    const running = worker(byHand([0, 1, 2, 3]), stop.signal)
    await produce(0, 50)
    await untilScored(50)
    // The second worker begins on two of the tasks before the first has heard of it.
    const other = worker(byHand([2, 3]), stop.signal)
    await produce(50, 250)
    await untilScored(250)
    stop.abort()
    await Promise.all([running, other])
    expect(await scoredIds()).toEqual(idsOf(250))
  })

  it('end with the cause when the membership breaks off', async () => {
    const membership = byHand([0])
    const running = worker(membership, new AbortController().signal)
    await produce(0, 10)
    await sleep(20)
    membership.listener.failed(new Error('the group is gone'))
    await expect(running).rejects.toThrow('the group is gone')
  })
})
