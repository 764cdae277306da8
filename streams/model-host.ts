import type { Answer, Inquiry, ModelRecord, Question } from '../processors/inference.ts'
import type { Entry } from '../processors/step.ts'

/**
 * Runs models for one task: the port behind which an inference runtime stands. It fails by answering `degraded`, never by
 * throwing for what a model or a device did: no event may be lost because a model is broken.
 */
export interface ModelHost {
  /** Scores rows, float64 [features of the scenario], with every model that is to score, each in one run for all rows. */
  answer(scoring: readonly ModelRecord[], rows: readonly Float64Array[]): Promise<Answer>
  /** The models run elsewhere than on this thread at present: it can do other things until they answer. Absent: they do not. */
  readonly runsBeside?: boolean
}

/**
 * Passes a step's questions about a batch to the models, and the answers back: when the promise resolves, the batch can be
 * folded. null: there is nothing to ask. Rejects with what the host throws.
 */
export function askModels(inquiry: Inquiry, models: ModelHost | null, batch: readonly Entry[]): Promise<void> | null {
  const questions = models === null ? [] : inquiry.questions(batch)
  return questions.length === 0 ? null : passOn(inquiry, models!, questions)
}

async function passOn(inquiry: Inquiry, models: ModelHost, questions: readonly Question[]): Promise<void> {
  const answers: Answer[] = []
  for (const { scoring, rows } of questions) answers.push(await models.answer(scoring, rows))
  inquiry.take(answers)
}
