import { RheoError } from '../../schemas/errors.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Point } from './faulty-log.ts'

/**
 * The topology with models that run beside the process's thread: every answer waits at a point, like any other call, so it
 * comes while the loop does something else, after the task was dropped, or never.
 *
 * @param asked is called with the task when models are asked, and what it returns when they answer.
 */
export function lateModels(topology: Topology, point: Point, asked: (task: number) => () => void): Topology {
  const stages = topology.stages.map((stage) => {
    const { models } = stage
    if (models === undefined) return stage
    const late: typeof models = (task) => {
      const host = models(task)
      return {
        runsBeside: true,
        async answer(scoring, rows) {
          const answered = asked(task)
          if ((await point('answer')) === 'fail')
            throw new RheoError('LOG_UNAVAILABLE', 'the simulated models do not answer', { retryable: true })
          answered()
          return host.answer(scoring, rows)
        },
      }
    }
    return { ...stage, models: late }
  })
  return { ...topology, stages }
}
