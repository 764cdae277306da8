import { createHash } from 'node:crypto'
import type { EventLog, LogRecord, Position, TaskWriter, Transaction } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { Task } from '../../streams/run-task.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import type { Topology } from '../../streams/topology.ts'
import { storedTimers } from '../streams/stored-timers.ts'
import type { Commit } from './journal.ts'
import { commitDifference, tellsProgressOnly } from './same-commit.ts'

export interface Ended {
  readonly log: EventLog
  readonly store: StateStore
}

/**
 * The unbroken run that a broken one must equal, byte by byte: fresh tasks over the same source records, which nothing
 * disturbs and which flush only at the end, taking their turns in the order in which the journal says that the broken
 * run's commits became readable. Throws where the journal asks for a turn that no unbroken run could take, and where the
 * unbroken run commits other bytes.
 */
export async function followJournal(
  topology: Topology,
  sources: EventLog,
  commits: readonly Commit[],
  batchRecords: number,
): Promise<Ended> {
  const log = createMemoryLog()
  const store = createMemoryStateStore()
  await log.ensureTopics(topology.topics)
  for (const { topic } of topology.sources) {
    for (let partition = 0; partition < topology.partitions; partition++) {
      const records = await recordsOf(sources, topic, partition)
      await log.append([{ topic, partition, records: records.map(({ offset: _, ...record }) => record) }])
    }
  }
  const until = new Map<string, bigint>()
  let clockMs = 0
  let following: Transaction | null = null
  let moved: readonly Position[] = []
  let difference: string | null = null
  const writers: TaskWriter[] = []
  const bounded: EventLog = {
    ...log,
    async fetch(topic, partition, from, limits) {
      const end = until.get(`${topic}/${partition}`) ?? from
      const { records, next } = await log.fetch(topic, partition, from, limits)
      return { records: records.filter(({ offset }) => offset < end), next: next < end ? next : end }
    },
    async acquire(group, task) {
      const writer = await log.acquire(group, task)
      writers.push(writer)
      return {
        ...writer,
        commit(transaction) {
          if (following === null) return writer.commit(transaction)
          difference = commitDifference(topology, transaction, following, moved)
          // Together with what it tells of backlogs, which this run cannot know.
          return writer.commit(following)
        },
      }
    },
  }
  const options = { clock: () => clockMs, batchRecords, pending: null }
  const tasks: Task[] = []
  for (let number = 0; number < topology.partitions; number++)
    tasks.push(await Task.start(topology, number, bounded, store, options))
  for (const [i, commit] of commits.entries()) {
    // An unbroken run writes its state down at its end only.
    const isOwn = ({ topic }: { readonly topic: string }): boolean => topic !== topology.changelog
    const transaction = {
      appends: commit.transaction.appends.filter(isOwn),
      positions: commit.transaction.positions.filter(isOwn),
    }
    const { positions, appends } = transaction
    if (positions.length + appends.length === 0 && commit.transaction.appends.length > 0) continue
    moved = positions.filter(({ topic, partition, next }) => next > (until.get(`${topic}/${partition}`) ?? 0n))
    // What a task commits when it starts, to prove that it is still its own.
    if (moved.length === 0 && appends.length === 0) continue
    if (moved.length === 0) {
      if (!tellsProgressOnly(topology, appends))
        throw new Error(`commit ${i} of task ${commit.task} reads what had been committed already`)
      await writers[commit.task]!.commit(transaction)
      continue
    }
    for (const { topic, partition, next } of moved) until.set(`${topic}/${partition}`, next)
    clockMs = commit.clockMs
    following = transaction
    // A round in which all but one stage find nothing commits what a turn of that stage does.
    if ((await tasks[commit.task]!.round()) === 0)
      throw new Error(`commit ${i}: an unbroken task ${commit.task} finds nothing to fold`)
    following = null
    if (difference !== null)
      throw new Error(`commit ${i} of task ${commit.task} on ${positions[0]!.topic}: ${difference}`)
  }
  for (const task of tasks) await task.flush()
  return { log, store }
}

/** What a run left behind, by name: a digest of every topic, and every stored state that still means something. */
export async function leftBehind(topology: Topology, { log, store }: Ended): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const { name, partitions } of topology.topics) {
    if (name === topology.changelog) continue
    for (let partition = 0; partition < partitions; partition++) {
      const { end } = await log.bounds(name, partition)
      const hash = createHash('sha256')
      if (!topology.stages.some(({ topic }) => topic === name)) {
        for (const record of await recordsOf(log, name, partition)) {
          const { key, value, headers, timestampMs, offset } = record
          hash.update(JSON.stringify([String(offset), timestampMs, headers, key?.length, bytesOf(value)?.length]))
          hash.update(key ?? '').update(bytesOf(value) ?? '')
        }
      }
      found.set(`${name}/${partition}`, `${end} records, ${hash.digest('hex')}`)
    }
  }
  for (let number = 0; number < topology.partitions; number++) {
    for (const [name, text] of await storedState(topology, store, number)) found.set(`task ${number} ${name}`, text)
  }
  return found
}

async function storedState(topology: Topology, store: StateStore, number: number): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const state = await store.acquire(`${topology.scenario}-${number}`)
  const topics = [...topology.sources, ...topology.stages].map(({ topic }) => topic)
  for (const topic of topics) found.set(`position ${topic}`, String(state.positions.get(topic)))
  const [run] = await state.load('$run', ['task'])
  const text = Buffer.from(run ?? '{}').toString()
  found.set('run', text)
  const { stages = {} } = JSON.parse(text) as { stages?: Record<string, { watermarksMs: (number | null)[] }> }
  for (const stage of topology.stages) {
    const saved = stages[stage.name]
    if (saved === undefined) continue
    const watermarkMs = Math.min(...saved.watermarksMs.map((ms) => ms ?? Number.NEGATIVE_INFINITY))
    const { table } = stage.create(number)
    found.set(`${stage.name} timers`, await storedTimers(state, stage.name))
    for (const name of [stage.name, `${stage.name}/resident`]) {
      for (const [key, value] of await state.scan(name)) {
        if (name === stage.name) {
          const expiresAtMs = table!.expiresAtMs(table!.decode(value, key))
          if (expiresAtMs !== null && expiresAtMs < watermarkMs) continue
        }
        found.set(`${name} ${key}`, Buffer.from(value).toString('latin1'))
      }
    }
  }
  return found
}

/** All records of a partition that are still there. */
export async function recordsOf(log: EventLog, topic: string, partition: number): Promise<readonly LogRecord[]> {
  const { start } = await log.bounds(topic, partition)
  const { records } = await log.fetch(topic, partition, start, { maxRecords: 1e9, maxBytes: 1e12 })
  return records.map(({ offset, key, value, headers, timestampMs }) => ({ offset, key, value, headers, timestampMs }))
}

function bytesOf(value: LogRecord['value']): Uint8Array | null {
  return value === null || value instanceof Uint8Array ? value : value.bytes()
}

/** The names of what differs, each with both sides. */
export function differences(actual: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  const names = new Set([...actual.keys(), ...expected.keys()])
  return [...names]
    .filter((name) => actual.get(name) !== expected.get(name))
    .sort()
    .map((name) => `${name}: ${cut(actual.get(name))} instead of ${cut(expected.get(name))}`)
}

function cut(text: string | undefined): string {
  return text === undefined ? 'nothing' : text.length > 300 ? `${text.slice(0, 299)}…` : text
}
