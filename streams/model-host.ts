import type { Answer, Inquiry, ModelRecord } from '../processors/inference.ts'
import type { Entry } from '../processors/step.ts'

/**
 * Runs models for one task: the port behind which an inference runtime stands. It fails by answering `degraded`, never by
 * throwing for what a model or a device did: no event may be lost because a model is broken.
 */
export interface ModelHost {
  /** Scores rows, float64 [features of the scenario], with every model that is to score, each in one run for all rows. */
  answer(scoring: readonly ModelRecord[], rows: readonly Float64Array[]): Promise<Answer>
}

/** Passes a step's questions about a batch to the models, and the answers back, before the batch is folded. */
export async function askModels(inquiry: Inquiry, models: ModelHost | null, batch: readonly Entry[]): Promise<void> {
  if (models === null) return
  const answers: Answer[] = []
  for (const { scoring, rows } of inquiry.questions(batch)) answers.push(await models.answer(scoring, rows))
  inquiry.take(answers)
}
