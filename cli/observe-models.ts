import type { ModelHosts } from '../scenarios/define-scenario.ts'

export interface ModelsWatch {
  /** Events that were asked about while a model did not answer, or another version answered for it. */
  onDegraded(events: number): void
  /** Every model answers again, for every task. */
  onWhole(): void
}

/** Model hosts that pass everything on and tell when their answers are not whole. */
export function observeModels(hosts: ModelHosts, watch: ModelsWatch): ModelHosts {
  const degraded = new Set<number>()
  return {
    hostOf(task) {
      const host = hosts.hostOf(task)
      degraded.delete(task)
      return {
        async answer(scoring, rows) {
          const answer = await host.answer(scoring, rows)
          if (answer.degraded) {
            degraded.add(task)
            watch.onDegraded(rows.length)
          } else if (degraded.delete(task) && degraded.size === 0) watch.onWhole()
          return answer
        },
      }
    },
  }
}
