import { RheoError } from '../../schemas/errors.ts'
import type { MaybePromise } from '../../streams/event-log/event-log.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateChanges, StatePart, StateStore, TaskState } from '../../streams/state/state-store.ts'
import type { Point } from './faulty-log.ts'

interface Flushed {
  readonly task: string
  readonly parts: readonly StatePart[]
  readonly changes: StateChanges
}

/**
 * What the processes of one simulation share of the state store: a memory store, and every flush that it took, so that
 * it can be lost, or put back to an older state.
 */
export class SharedStore {
  inner: StateStore = createMemoryStateStore()
  /** Grows when the store was lost or put back: whoever holds a task of the store before has to acquire it again. */
  generation = 0
  flushes: Flushed[] = []
  readonly fencing: 'on' | 'off'
  /** The newest holder of every task, for `fencing: 'off'`. */
  readonly newest = new Map<string, TaskState>()

  /** The positions that a flush really sets; for variants of the loop that are wrong on purpose. */
  readonly positions: (task: string, changes: StateChanges) => MaybePromise<StateChanges['positions']>

  constructor(fencing: 'on' | 'off', positions: SharedStore['positions']) {
    this.fencing = fencing
    this.positions = positions
  }

  /** Back to what it was after its first `kept` flushes; 0: empty. */
  async putBack(kept: number): Promise<void> {
    this.generation++
    this.inner = createMemoryStateStore()
    this.flushes = this.flushes.slice(0, kept)
    const tasks = new Map<string, TaskState>()
    for (const { task, parts, changes } of this.flushes) {
      let state = tasks.get(task)
      if (state === undefined) {
        state = await this.inner.acquire(task)
        tasks.set(task, state)
      }
      for (const part of parts) await state.stage(part)
      await state.flush(changes)
    }
  }
}

/**
 * One process's handle on the shared store. Every call waits at a point first, and whatever changes the store at another
 * one afterwards. Whoever acquired before the store was lost gets STATE_UNAVAILABLE: it must acquire again.
 */
export function createFaultyStore(shared: SharedStore, point: Point): StateStore {
  async function passed<T>(what: string, call: () => MaybePromise<T>): Promise<T> {
    if ((await point(what)) === 'fail') throw unavailable(what)
    return call()
  }

  async function changing<T>(what: string, call: () => MaybePromise<T>): Promise<T> {
    const result = await passed(what, call)
    if ((await point(`after ${what}`)) === 'fail') throw unavailable(`answer of ${what}`)
    return result
  }

  return {
    acquire: (task) =>
      changing('acquire state', async () => {
        const { generation } = shared
        const own = await shared.inner.acquire(task)
        shared.newest.set(task, own)
        const held = (): TaskState => {
          if (shared.generation !== generation) throw unavailable('the store is not the one that was acquired')
          return shared.fencing === 'on' ? own : shared.newest.get(task)!
        }
        let staged: StatePart[] = []
        return {
          positions: own.positions,
          load: (table, keys) => passed('load', () => held().load(table, keys)),
          scan: (table) => passed('scan', () => held().scan(table)),
          stage: (part) =>
            changing('stage', async () => {
              await held().stage(part)
              staged.push(part)
            }),
          flush: (changes) =>
            changing('flush', async () => {
              const flushed = { ...changes, positions: await shared.positions(task, changes) }
              await held().flush(flushed)
              shared.flushes.push({ task, parts: staged, changes: flushed })
              staged = []
            }),
        }
      }),
    peek: (task, table, key) => passed('peek', () => shared.inner.peek(task, table, key)),
    close: () => shared.inner.close(),
  }
}

function unavailable(what: string): RheoError {
  return new RheoError('STATE_UNAVAILABLE', `the simulated state store does not answer: ${what}`, { retryable: true })
}
