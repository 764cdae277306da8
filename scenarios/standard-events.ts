import type { Labelled, Scored } from '../processors/score-step.ts'
import type { AvroField, EventSchema } from '../schemas/event-schema.ts'
import { labelSchema } from '../schemas/generated/fraud/label.ts'
import { outcomeSchema } from '../schemas/generated/fraud/outcome.ts'
import { type Score, scoreSchema } from '../schemas/generated/fraud/score.ts'
import { type CatalogueTopic, inputTopic, outputTopic } from '../schemas/topics.ts'
import { NumberMap } from '../streams/codec/number-map.ts'
import type { Scenario } from './define-scenario.ts'
import { reasonsOf } from './reasons.ts'

/** What a scenario says about its own events, as far as the standard ones follow from it. */
interface Names {
  readonly scenario: string
  /** The field that names the scored event. */
  readonly id: string
  /** The field of the label that tells the truth. */
  readonly truth: string
}

/** Labels: the scored event's id, when it became known, the truth, and who said so. */
export function standardLabelTopic(names: Names): CatalogueTopic {
  return inputTopic(names.scenario, 'labels', own(labelSchema, names), names.id)
}

/** Scores, with the fields of `schemas/fraud/score.avsc` under the scenario's own id. */
export function standardScoreTopic(names: Names): CatalogueTopic {
  return outputTopic(names.scenario, 'scores', own(scoreSchema, names), names.id)
}

/** Scores paired with their labels, with the fields of `schemas/fraud/outcome.avsc` under the scenario's own names. */
export function standardOutcomeTopic(names: Names): CatalogueTopic {
  return outputTopic(names.scenario, 'outcomes', own(outcomeSchema, names), names.id)
}

/** Fraud's schemas are the pattern; what they call by the names of payments is called by the scenario's. */
function own({ name, avro }: EventSchema, { scenario, id, truth }: Names): EventSchema {
  const renamed = new Map([
    ['paymentId', id],
    ['fraud', truth],
  ])
  const fields = avro.fields.map((field): AvroField => {
    const { name: field_, type } = field
    const as = renamed.get(field_) ?? field_
    return 'default' in field ? { name: as, type, default: field.default } : { name: as, type }
  })
  return { name, avro: { type: 'record', name: avro.name, namespace: `rheo.${scenario}`, fields } }
}

/** A score as a score event, with its features as a `NumberMap`. */
export function scoreEvent(scored: Scored, scenario: Scenario): object {
  const [champion, ...others] = scored.arms
  const { names, version } = scenario.featureSet
  const rest: Omit<Score, 'paymentId' | 'features'> & { readonly features: NumberMap } = {
    eventTime: scored.eventTimeMs,
    probability: champion!.probability,
    score: Math.round(champion!.probability * 1_000) / 10,
    decision: scored.decision,
    threshold: champion!.threshold,
    policyId: scenario.decide.id,
    ruleHits: scored.ruleHits.map(({ name, version: ruleVersion }) => ({ rule: name, version: ruleVersion })),
    reasons: reasonsOf(names, scored),
    features: new NumberMap(names, scored.features),
    featureSetVersion: version,
    modelName: modelNameOf(scored, scenario),
    modelVersion: scored.modelVersion,
    challengers: Object.fromEntries([
      ...others.map((arm, i) => [scenario.armNames[i + 1]!, arm.probability] as const),
      ...scored.models.map(({ name: model, probability }) => [model, probability] as const),
    ]),
    propensity: 1,
    degraded: scored.degraded,
  }
  return { [scenario.event.id]: scored.id, ...rest }
}

/** A score paired with its label as an outcome event. */
export function outcomeEvent(labelled: Labelled, scenario: Scenario): object {
  const [champion, ...others] = labelled.arms
  return {
    [scenario.event.id]: labelled.id,
    eventTime: labelled.eventTimeMs,
    labelTime: labelled.labelTimeMs,
    [scenario.label.truth]: labelled.truth,
    source: labelled.source,
    corrected: labelled.corrected,
    probability: champion!.probability,
    threshold: champion!.threshold,
    decision: labelled.decision,
    ruleHits: [...labelled.ruleHits],
    modelVersion: labelled.modelVersion,
    challengers: Object.fromEntries([
      ...others.map(
        ({ probability, threshold }, i) => [scenario.armNames[i + 1]!, { probability, threshold }] as const,
      ),
      ...labelled.models.map(({ name, probability, threshold }) => [name, { probability, threshold }] as const),
    ]),
  }
}

/** `ftrl`, or what was blended with it and in which version: `ftrl+trees@3`. */
function modelNameOf({ models }: Scored, scenario: Scenario): string {
  const blended = models.slice(1).map(({ name, version }) => `${name}@${version}`)
  return [scenario.model.name, ...blended].join('+')
}
