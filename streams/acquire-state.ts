import type { KeyedTable } from '../processors/step.ts'
import { Changelog } from './changelog.ts'
import type { EventLog, TaskWriter } from './event-log/event-log.ts'
import type { StatePut, StateStore, TaskState } from './state/state-store.ts'
import type { Topology } from './topology.ts'

/**
 * The state of a task whose log was acquired just before: as the store has it, or, where the topology keeps a changelog,
 * brought to the last flush that counts.
 *
 * @param clock processing time, ms.
 */
export async function acquireState(
  topology: Topology,
  task: number,
  log: EventLog,
  store: StateStore,
  writer: TaskWriter,
  clock: () => number,
): Promise<TaskState> {
  const state = await store.acquire(`${topology.scenario}-${task}`)
  if (topology.changelog === undefined) return state
  const complete = completePut(topology, task, state.publishesFeatures === true)
  return Changelog.over(state, { log, topic: topology.changelog, task, writer, clock, complete })
}

/** What of a put follows from its value: the changelog and the store keep no more than they have to. */
function completePut(topology: Topology, task: number, publishes: boolean): (put: StatePut) => StatePut {
  const tables = new Map<string, KeyedTable<unknown>>()
  for (const { name, create } of topology.stages) {
    const { table } = create(task)
    if (table !== null) tables.set(name, table)
  }
  return (put) => {
    const table = tables.get(put.table)
    if (table === undefined || (!publishes && put.expiresAtMs !== null)) return put
    const state = table.decode(put.value, put.key)
    const expiresAtMs = put.expiresAtMs ?? table.expiresAtMs(state)
    if (!publishes || table.describe === undefined) return { ...put, expiresAtMs }
    return { ...put, expiresAtMs, features: table.describe(state, put.key) }
  }
}
