import { RheoError } from '../schemas/errors.ts'
import type { EventLog, Fetched, FetchLimits } from './event-log/event-log.ts'

/**
 * Records of a stage's own topic, of which nobody but its task drops anything, and it only what it has flushed. So where
 * records are gone that the task has not read yet, another process has taken the task over and read on: FENCED.
 */
export async function fetchOwn(
  log: EventLog,
  topic: string,
  task: number,
  from: bigint,
  limits: FetchLimits,
): Promise<Fetched> {
  try {
    return await log.fetch(topic, task, from, limits)
  } catch (error) {
    if (!(error instanceof RheoError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error
    throw new RheoError('FENCED', `Another process took over task ${task}, and has read on in ${topic}.`, {
      cause: error,
      hint: 'Nothing was changed; this process must stop working on the task.',
    })
  }
}
