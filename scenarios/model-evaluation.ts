import type { EvaluationDeclaration, Scenario } from './define-scenario.ts'
import { evaluatedOutcome } from './evaluated-outcome.ts'
import { createEvaluation, type EvaluationCollector } from './report/evaluation.ts'
import type { Evaluation } from './report/report-data.ts'

/** Measures what models were worth, on the payments that they scored. */
export interface ModelEvaluation {
  outcome(event: object): void
  /** The online model alone first, then the champion that blends it, the models, the other arms; null: no model scored. */
  measure(window: { readonly fromMs?: number; readonly untilMs?: number }): Evaluation | null
}

/** Follows the models that score: when others do, it begins anew with them. */
export function createModelEvaluation(scenario: Scenario, evaluation: EvaluationDeclaration): ModelEvaluation {
  const [champion, ...others] = scenario.armNames
  let arms: readonly string[] = []
  let collector: EvaluationCollector | null = null

  return {
    outcome(event) {
      const outcome = evaluatedOutcome(event, scenario)
      const models = Object.keys(outcome.arms).filter(
        (name) => name !== scenario.model.name && !scenario.armNames.includes(name),
      )
      if (models.length === 0) return
      const now = [scenario.model.name, champion!, ...models, ...others]
      if (collector === null || now.join() !== arms.join()) {
        arms = now
        collector = createEvaluation({ ...evaluation, words: scenario.words, arms })
      }
      collector.add(outcome)
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
