import type { EventLog, NewRecord, TaskWriter } from './event-log/event-log.ts'
import { partitionOf } from './partition.ts'
import { pendingKey, Task } from './run-task.ts'
import type { StateStore } from './state/state-store.ts'
import type { Topology } from './topology.ts'

/** A record for one of the users' topics (or a side topic), and when the replay's clock lets it in. */
export interface Admission {
  readonly atMs: number
  readonly topic: string
  /** null as in the log that it comes from; partitions go by key, null to the first. */
  readonly key: string | null
  /** null is a tombstone. */
  readonly value: Uint8Array | null
  readonly headers?: NewRecord['headers']
}

export interface ReplayPlan {
  readonly topology: Topology
  readonly log: EventLog
  readonly store: StateStore | null
  /** Names the input: a replay called again with the same one goes on where it stopped. */
  readonly inputTopic: string
  readonly sliceMs: number
  readonly batchRecords: number
  /** Before the first item: the tasks as they were restored. */
  started?(tasks: readonly Task[]): Promise<void>
  /** In admission order, without the first `skip` of a former run. Batches bound the memory. */
  items(skip: number): AsyncIterable<readonly Admission[]> | Iterable<readonly Admission[]>
  /**
   * Between two slices, each time the clock enters another period of so many slices, and before the first slice of a call:
   * everything up to `atMs` is durable. What is appended then is met by the slice that follows, interrupted or not.
   */
  readonly between?: { readonly slices: number; call(atMs: number): Promise<void> }
  /** After every group of slices is durable: outputs can be read. */
  afterGroup(progress: { readonly admitted: number; readonly atMs: number }): Promise<void> | void
}

/** Slices that become durable together at most; each is admitted and drained on its own all the same. */
const GROUP_SLICES = 512
/** In a database a transaction has its price; in memory, what a group leaves behind should still be young when it goes. */
const GROUP_ITEMS = { stored: 4_096, inMemory: 256 }
/** State is written with its positions after this many items, about. */
const FLUSH_ITEMS = 50_000

/**
 * Replays in virtual time: items are admitted in slices of event time, and the topology drains before the next slice.
 * The result is that of an always-on system with that reaction time, whatever the machine's speed, and however the
 * replay was interrupted: a slice is in the log with everything that followed from it, or not at all.
 */
export async function replay(plan: ReplayPlan): Promise<readonly Task[]> {
  const { topology, log, sliceMs } = plan
  const maxItems = plan.store === null ? GROUP_ITEMS.inMemory : GROUP_ITEMS.stored
  // Without a state store a flush only drops what every stage has read.
  const flushItems = plan.store === null ? maxItems : FLUSH_ITEMS
  let clockMs = 0
  const pending = new Set<string>()
  const options = { clock: () => clockMs, batchRecords: plan.batchRecords, pending }
  const tasks: Task[] = []
  for (let p = 0; p < topology.partitions; p++) tasks.push(await Task.start(topology, p, log, plan.store, options))
  const admitter = await log.acquire('rheo-replay', plan.inputTopic)
  let admitted = Number((await admitter.committed(plan.inputTopic, 0)) ?? 0n)
  let flushedAt = admitted

  let group: Admission[][] = []
  let groupItems = 0
  let slice: Admission[] = []
  let sliceNumber = Number.NaN
  let period = Number.NaN

  const settle = async (): Promise<void> => {
    if (group.length === 0) return
    await log.together(async () => {
      for (const items of group) {
        clockMs = (Math.floor(items[0]!.atMs / sliceMs) + 1) * sliceMs
        admitted += items.length
        await admit(items, admitter, topology.partitions, plan.inputTopic, admitted)
        for (const { number } of tasks) pending.add(pendingKey('intake', number))
        await drain(tasks)
      }
    })
    group = []
    groupItems = 0
    if (admitted - flushedAt >= flushItems) {
      flushedAt = admitted
      for (const task of tasks) await task.flush()
    }
    await plan.afterGroup({ admitted, atMs: clockMs })
  }

  await plan.started?.(tasks)
  for await (const items of plan.items(admitted)) {
    for (const item of items) {
      const number = Math.floor(item.atMs / sliceMs)
      if (number !== sliceNumber && slice.length > 0) {
        group.push(slice)
        groupItems += slice.length
        slice = []
        if (group.length >= GROUP_SLICES || groupItems >= maxItems) await settle()
      }
      if (plan.between !== undefined && number !== sliceNumber) {
        const { slices, call } = plan.between
        const next = Math.floor(number / slices)
        if (next !== period) {
          await settle()
          await call(next * slices * sliceMs)
        }
        period = next
      }
      sliceNumber = number
      slice.push(item)
    }
  }
  if (slice.length > 0) group.push(slice)
  await settle()
  for (const task of tasks) await task.flush()
  return tasks
}

/** Appends one slice to the users' topics, together with how far the input has been read. */
async function admit(
  items: readonly Admission[],
  admitter: TaskWriter,
  partitions: number,
  inputTopic: string,
  admitted: number,
): Promise<void> {
  const appends = new Map<string, { topic: string; partition: number; records: NewRecord[] }>()
  for (const { atMs, topic, key, value, headers } of items) {
    const partition = key === null ? 0 : partitionOf(key, partitions)
    const id = `${topic}/${partition}`
    let append = appends.get(id)
    if (append === undefined) {
      append = { topic, partition, records: [] }
      appends.set(id, append)
    }
    append.records.push({
      key: key === null ? null : Buffer.from(key),
      value,
      timestampMs: atMs,
      ...(headers === undefined ? {} : { headers }),
    })
  }
  const positions = [{ topic: inputTopic, partition: 0, next: BigInt(admitted) }]
  await admitter.commit({ appends: [...appends.values()], positions })
}

/**
 * Stage by stage until nothing is left. A stage drains wholly before the next starts, and what it feeds back waits for the
 * next round, so the order in every topic does not depend on how batches are cut.
 */
async function drain(tasks: readonly Task[]): Promise<void> {
  const stages = Math.max(...tasks.map((task) => task.stageCount))
  for (let folded = 1; folded > 0; ) {
    folded = 0
    for (let stage = 0; stage < stages; stage++) {
      for (const task of tasks) {
        if (stage >= task.stageCount) continue
        for (let count = await task.turn(stage); count > 0; count = await task.turn(stage)) folded += count
      }
    }
  }
}
