import type { Scenario } from './define-scenario.ts'
import type { ArmOutcome, EvaluatedOutcome } from './report/outcome-table.ts'

/**
 * What the outcome events of every scenario hold, besides the scored event's id and the truth, which go by the scenario's own
 * names (`paymentId` and `fraud`).
 */
interface OutcomeFields {
  /** The scored event's time, milliseconds since 1970. */
  readonly eventTime: number
  readonly probability: number
  readonly threshold: number
  readonly ruleHits: readonly string[]
  readonly challengers: Readonly<Record<string, ArmOutcome>>
}

/** An outcome event as the evaluation sees it. The arms say what models said, by their thresholds; rules are no part of that. */
export function evaluatedOutcome(event: object, { event: { id }, label, armNames }: Scenario): EvaluatedOutcome {
  const fields = event as Readonly<Record<string, unknown>>
  const { eventTime, probability, threshold, ruleHits, challengers } = event as OutcomeFields
  return {
    id: String(fields[id]),
    eventTimeMs: eventTime,
    label: fields[label.truth] === true,
    arms: { [armNames[0]!]: { probability, threshold }, ...challengers },
    ruleHits,
  }
}
