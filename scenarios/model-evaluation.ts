import type { EvaluationDeclaration, Scenario } from './define-scenario.ts'
import { evaluatedOutcome } from './evaluated-outcome.ts'
import { createEvaluation, type EvaluationCollector } from './report/evaluation.ts'
import type { ModelFigures } from './report/report-data.ts'

/** Measures what models were worth, on the payments that they scored. */
export interface ModelEvaluation {
  outcome(event: object): void
  /** null: no model scored. */
  measure(window: { readonly fromMs?: number; readonly untilMs?: number }): ModelFigures | null
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
        if (collector === null) return null
        return { evaluation: collector.measure(window), roles: arms.map((name) => roleOf(name, scenario)) }
      } catch (cause) {
        if (cause instanceof RangeError) return null
        throw cause
      }
    },
  }
}

function roleOf(name: string, { model, armNames }: Scenario): string {
  if (name === model.name) return 'the online model alone'
  if (name === armNames[0]) return 'all of them blended'
  return armNames.includes(name) ? 'an arm of the scenario' : 'a model alone'
}
