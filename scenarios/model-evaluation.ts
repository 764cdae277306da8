import type { Outcome } from '../schemas/generated/fraud/outcome.ts'
import type { Scenario } from './define-scenario.ts'
import { createEvaluation, type EvaluationCollector } from './report/evaluation.ts'
import type { Evaluation } from './report/report-data.ts'

/** Measures what models were worth, on the payments that they scored. */
export interface ModelEvaluation {
  outcome(event: object): void
  /** The online model alone first, then the champion that blends it, the models, the other arms; null: no model scored. */
  measure(window: { readonly fromMs?: number; readonly untilMs?: number }): Evaluation | null
}

/** Follows the models that score: when others do, it begins anew with them. */
export function createModelEvaluation(scenario: Scenario, targetFpr: number): ModelEvaluation {
  const [champion, ...others] = scenario.armNames
  let arms: readonly string[] = []
  let collector: EvaluationCollector | null = null

  return {
    outcome(event) {
      const { paymentId, eventTime, fraud, probability, threshold, challengers, ruleHits } = event as Outcome
      const models = Object.keys(challengers).filter((name) => name !== scenario.model.name && !others.includes(name))
      if (models.length === 0) return
      const now = [scenario.model.name, champion!, ...models, ...others]
      if (collector === null || now.join() !== arms.join()) {
        arms = now
        collector = createEvaluation({ arms, targetFpr })
      }
      collector.add({
        paymentId,
        eventTimeMs: eventTime,
        label: fraud,
        arms: { [champion!]: { probability, threshold }, ...challengers },
        ruleHits,
      })
    },
    measure(window) {
      try {
        return collector === null ? null : collector.measure(window)
      } catch (cause) {
        if (cause instanceof RangeError) return null
        throw cause
      }
    },
  }
}
