import type { ModelHosts } from '../scenarios/define-scenario.ts'

/** Model hosts that pass everything on and tell how many events they were asked about while a model did not answer. */
export function observeModels(hosts: ModelHosts, onDegraded: (events: number) => void): ModelHosts {
  return {
    hostOf(task) {
      const host = hosts.hostOf(task)
      return {
        async answer(scoring, rows) {
          const answer = await host.answer(scoring, rows)
          if (answer.degraded) onDegraded(rows.length)
          return answer
        },
      }
    },
  }
}
