import type { MaybePromise } from '../streams/event-log/event-log.ts'
import type { StateStore, TaskState } from '../streams/state/state-store.ts'

export interface StoreWatch {
  /** A part of a flush, or its end, was written. */
  onWritten(kind: 'part' | 'flush', seconds: number): void
}

/** A state store that passes everything on and tells how long its writes took. */
export function observeStore(store: StateStore, watch: StoreWatch): StateStore {
  const timed = (kind: 'part' | 'flush', write: () => MaybePromise<void>): MaybePromise<void> => {
    const startMs = performance.now()
    const done = (): void => watch.onWritten(kind, (performance.now() - startMs) / 1000)
    const written = write()
    return written instanceof Promise ? written.then(done) : done()
  }
  const observeTask = (state: TaskState): TaskState => ({
    get positions() {
      return state.positions
    },
    ...(state.publishesFeatures === undefined ? {} : { publishesFeatures: state.publishesFeatures }),
    ...(state.assertKept === undefined ? {} : { assertKept: () => state.assertKept!() }),
    load: (table, keys) => state.load(table, keys),
    scan: (table) => state.scan(table),
    stage: (part) => timed('part', () => state.stage(part)),
    flush: (changes) => timed('flush', () => state.flush(changes)),
  })
  return {
    acquire(task) {
      const acquired = store.acquire(task)
      return acquired instanceof Promise ? acquired.then(observeTask) : observeTask(acquired)
    },
    peek: (task, table, key) => store.peek(task, table, key),
    close: () => store.close(),
  }
}
