import { RheoError } from '../../schemas/errors.ts'
import type { EventLog, MaybePromise, TaskWriter } from '../../streams/event-log/event-log.ts'
import type { Journal } from './journal.ts'

/** Where the calls of one process pass by; 'fail': the call is to fail here. */
export type Point = (what: string) => Promise<'go on' | 'fail'>

/** Everything that the processes of one simulation share of the log. */
export interface SharedLog {
  readonly inner: EventLog
  readonly journal: Journal
  /** 'off': a commit by a former holder of a task goes through, as on a log that does not fence. */
  readonly fencing: 'on' | 'off'
  /** The newest writer of every task, for `fencing: 'off'`. */
  readonly newest: Map<string, TaskWriter>
}

export interface LogHandle {
  readonly point: Point
  /** Called around `together`: inside, nobody else gets at the log. */
  exclusive(is: boolean): void
  /** 'grouped': `together` is one physical transaction (SQLite). 'single': every commit stands alone (Kafka). */
  readonly together: 'grouped' | 'single'
  clockMs(): number
  /** Before a commit reaches the log; for variants of the loop that are wrong on purpose. */
  beforeCommit(task: string): Promise<void>
}

/**
 * One process's handle on the shared memory log. Every call waits at a point first, and whatever changes the log at
 * another one afterwards: dying or failing there means that it happened, and nobody was told.
 */
export function createFaultyLog(shared: SharedLog, handle: LogHandle): EventLog {
  const { inner, journal, newest } = shared
  const { point } = handle
  let isGrouped = false

  async function passed<T>(what: string, call: () => MaybePromise<T>): Promise<T> {
    if ((await point(what)) === 'fail') throw unavailable(what)
    return call()
  }

  async function changing<T>(what: string, call: () => MaybePromise<T>): Promise<T> {
    const result = await passed(what, call)
    if ((await point(`after ${what}`)) === 'fail') throw unavailable(`answer of ${what}`)
    return result
  }

  const writer = (name: string, own: TaskWriter): TaskWriter => ({
    async commit(transaction) {
      await handle.beforeCommit(name)
      await changing('commit', () => {
        const task = shared.fencing === 'on' ? own : newest.get(name)!
        task.commit(transaction)
        journal.add({ task: Number(name.slice(name.lastIndexOf('-') + 1)), transaction, clockMs: handle.clockMs() })
      })
    },
    committed: (topic, partition) => passed('committed', () => own.committed(topic, partition)),
  })

  return {
    ensureTopics: (topics) => changing('ensureTopics', () => inner.ensureTopics(topics)),
    topics: () => passed('topics', () => inner.topics()),
    append: (appends) => changing('append', () => inner.append(appends)),
    fetch: (topic, partition, from, limits) => passed('fetch', () => inner.fetch(topic, partition, from, limits)),
    bounds: (topic, partition) => passed('bounds', () => inner.bounds(topic, partition)),
    offsetAt: (topic, partition, timestampMs) =>
      passed('offsetAt', () => inner.offsetAt(topic, partition, timestampMs)),
    acquire: (group, task) =>
      changing('acquire', async () => {
        const own = await inner.acquire(group, task)
        newest.set(task, own)
        return writer(task, own)
      }),
    committed: (group, topic, partition) => passed('committed', () => inner.committed(group, topic, partition)),
    truncate: (topic, partition, before) => changing('truncate', () => inner.truncate(topic, partition, before)),
    clean: (nowMs) => changing('clean', () => inner.clean(nowMs)),
    async together(work) {
      if (handle.together === 'single') return work()
      if (isGrouped) return inner.together(work)
      await point('together')
      handle.exclusive(true)
      isGrouped = true
      journal.open()
      try {
        const result = await inner.together(work)
        journal.keep()
        if ((await point('after together')) === 'fail') throw unavailable('answer of together')
        return result
      } catch (error) {
        journal.undo()
        throw error
      } finally {
        isGrouped = false
        handle.exclusive(false)
      }
    },
    async changed() {
      await point('idle')
    },
    close: () => inner.close(),
  }
}

function unavailable(what: string): RheoError {
  return new RheoError('LOG_UNAVAILABLE', `the simulated log does not answer: ${what}`, { retryable: true })
}
