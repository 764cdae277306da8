import { randomUUID } from 'node:crypto'
import { RheoError } from '../../schemas/errors.ts'
import type { EventLog, MaybePromise, TaskWriter } from '../../streams/event-log/event-log.ts'
import type { StateStore, TaskState } from '../../streams/state/state-store.ts'

/** A log on which no holder is ever refused: each takes a transactional id that nobody else has. */
export function unfencedLog({ unite: _unite, ...log }: EventLog): EventLog {
  return {
    ...log,
    async acquire(group, task) {
      const open = (): MaybePromise<TaskWriter> => log.acquire(group, `${task}-${randomUUID()}`)
      let writer = await open()
      return {
        committed: (topic, partition) => writer.committed(topic, partition),
        commit: (transaction) =>
          unrefused(
            () => writer.commit(transaction),
            async () => {
              writer = await open()
            },
          ),
      }
    },
  }
}

/** A state store on which no holder is ever refused: who was takes the task back. */
export function unfencedStore(store: StateStore): StateStore {
  return {
    ...store,
    async acquire(task): Promise<TaskState> {
      let state = await store.acquire(task)
      const takeBack = async (): Promise<void> => {
        state = await store.acquire(task)
      }
      return {
        ...state,
        positions: state.positions,
        load: (table, keys) => unrefused(() => state.load(table, keys), takeBack),
        scan: (table) => unrefused(() => state.scan(table), takeBack),
        stage: (part) => unrefused(() => state.stage(part), takeBack),
        flush: (changes) => unrefused(() => state.flush(changes), takeBack),
      }
    },
  }
}

/**
 * A store whose flushes say of themselves what a loop that flushes first could: where the log stands, not where the
 * state does. As `test/simulation` has it.
 */
export function flushedBeforeCommit(store: StateStore, log: EventLog): StateStore {
  return {
    ...store,
    async acquire(task): Promise<TaskState> {
      const state = await store.acquire(task)
      const [, scenario, number] = /^(.+)-(\d+)$/.exec(task)!
      return {
        ...state,
        positions: state.positions,
        async flush(changes) {
          const positions = new Map(changes.positions)
          for (const topic of positions.keys()) {
            if (topic.includes('.state.')) continue
            const next = await log.committed(`rheo-${scenario}`, topic, Number(number))
            if (next !== undefined) positions.set(topic, next)
          }
          await state.flush({ ...changes, positions })
        },
      }
    },
  }
}

async function unrefused<T>(call: () => MaybePromise<T>, takeBack: () => Promise<void>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof RheoError) || error.code !== 'FENCED' || attempt === 20) throw error
      await takeBack()
    }
  }
}
