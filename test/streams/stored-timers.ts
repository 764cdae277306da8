import type { TaskState } from '../../streams/state/state-store.ts'
import { Timers } from '../../streams/timers.ts'

/** A stage's timers in a state store, in the order in which they fire: how they share pages depends on when they were flushed. */
export async function storedTimers(state: TaskState, stage: string): Promise<string> {
  const table = `${stage}/timers`
  const timers = new Timers()
  timers.restore(await state.scan(table))
  await timers.load(Number.MAX_SAFE_INTEGER, (names) => state.load(table, names))
  return timers
    .takeDue(Number.MAX_SAFE_INTEGER)
    .map(({ key, atMs }) => `${atMs} ${key}`)
    .join('\n')
}
