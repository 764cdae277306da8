import { RheoError } from '../../schemas/errors.ts'
import type { StatePart, StateStore, TaskState } from './state-store.ts'

interface Entry {
  readonly table: string
  readonly key: string
  readonly value: Uint8Array
  readonly expiresAtMs: number | null
}

interface Task {
  epoch: number
  readonly positions: Map<string, bigint>
  readonly tables: Map<string, Map<string, Entry>>
  /** Walks round and round over the entries, looking for expired ones. */
  hand: Iterator<Entry>
}

/** Entries looked at per put: the hand outruns growth, so expired state never outnumbers live state for long. */
const SWEPT_PER_PUT = 2

/**
 * The state store in memory: for replays and tests, as long as the object lives. Every call answers synchronously.
 *
 * - Values are kept as they are given, and handed out uncopied: they must not be changed afterwards.
 * - Expiry costs O(1) per put: every put moves a clock hand two entries further, which drops what has expired.
 * - Memory: live state, and at most about as much expired state again.
 */
export function createMemoryStateStore(): StateStore {
  const tasks = new Map<string, Task>()

  return {
    acquire(name) {
      const task = tasks.get(name) ?? { epoch: 0, positions: new Map(), tables: new Map(), hand: NO_ENTRIES }
      tasks.set(name, task)
      task.epoch += 1
      return taskState(name, task, task.epoch)
    },
    peek: (task, table, key) => tasks.get(task)?.tables.get(table)?.get(key)?.value,
    close() {
      tasks.clear()
    },
  }
}

function taskState(name: string, task: Task, epoch: number): TaskState {
  const { tables, positions } = task
  let staged: StatePart[] = []
  const checkHolder = (): void => {
    if (task.epoch === epoch) return
    staged = []
    throw fencedState(name)
  }
  return {
    positions,
    load(table, keys) {
      const entries = tables.get(table)
      return keys.map((key) => entries?.get(key)?.value)
    },
    scan: (table) => [...(tables.get(table)?.values() ?? [])].map(({ key, value }) => [key, value] as const),
    stage(part) {
      checkHolder()
      staged.push(part)
    },
    flush(changes) {
      checkHolder()
      for (const part of [...staged, changes]) apply(task, part)
      staged = []
      for (const [topic, next] of changes.positions) positions.set(topic, next)
    },
  }
}

function apply(task: Task, { deletes, puts, watermarkMs }: StatePart): void {
  const { tables } = task
  for (const { table, key } of deletes) tables.get(table)?.delete(key)
  for (const put of puts) {
    const entries = tables.get(put.table) ?? new Map<string, Entry>()
    tables.set(put.table, entries)
    entries.set(put.key, put)
  }
  sweep(task, puts.length * SWEPT_PER_PUT, watermarkMs)
}

/** Looks at up to `count` entries, where the hand stands, and drops those that have expired. */
function sweep(task: Task, count: number, watermarkMs: number): void {
  for (let i = 0; i < count; i++) {
    const turn = task.hand.next()
    if (turn.done === true) {
      task.hand = entriesOf(task)
      return
    }
    const { table, key, expiresAtMs } = turn.value
    if (expiresAtMs !== null && expiresAtMs < watermarkMs) task.tables.get(table)?.delete(key)
  }
}

function* entriesOf(task: Task): Generator<Entry, undefined> {
  for (const entries of task.tables.values()) yield* entries.values()
}

const NO_ENTRIES: Iterator<Entry> = [][Symbol.iterator]()

function fencedState(task: string): RheoError {
  return new RheoError('FENCED', `Another process took over the state of task ${task}.`, {
    hint: 'Nothing was changed; this process must stop working on the task.',
  })
}
