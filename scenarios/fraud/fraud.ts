import { ftrl } from '../../processors/learners/online-model.ts'
import { falsePositiveRateBelow } from '../../processors/policies/false-positive-rate-below.ts'
import type { Labelled, Scored } from '../../processors/score-step.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { type CatalogueTopic, catalogueTopic } from '../../schemas/topics.ts'
import { defineScenario, type Scenario } from '../define-scenario.ts'
import { fraudCategories, fraudFeatures } from './features.ts'
import { reasonsOf } from './reasons.ts'
import { fraudRules } from './rules.ts'

/** The rate of false positives that the threshold aims at. */
export const TARGET_FPR = 0.012

/**
 * Payments: sliding-window features of customer, device and terminal, a model that learns from every label, and the same
 * model frozen after a warm-up beside it, so that what learning is worth can be seen on every stream.
 */
export const fraud: Scenario = defineScenario({
  name: 'fraud',
  event: {
    kind: 'payment',
    topic: topic('payments'),
    id: 'paymentId',
    time: 'eventTime',
    amount: 'amount',
    numbers: ['amount', 'declined'],
  },
  label: { kind: 'label', topic: topic('labels'), truth: 'fraud', horizon: '30 d', correction: '60 d' },
  features: fraudFeatures,
  model: ftrl({ categorical: fraudCategories }),
  arms: [{ name: 'selfOptimising' }, { name: 'frozen', learnsFor: '30 d' }],
  decide: falsePositiveRateBelow(TARGET_FPR),
  rules: fraudRules,
  grace: '1 h',
  duplicatesWithin: '24 h',
  scores: { topic: topic('scores'), event: scoreEvent },
  outcomes: { topic: topic('outcomes'), event: outcomeEvent },
})

function topic(short: string): CatalogueTopic {
  return catalogueTopic('fraud', short)!
}

function scoreEvent(scored: Scored, scenario: Scenario): Score {
  const [champion, ...others] = scored.arms
  const features: Record<string, number> = {}
  const { names, version } = scenario.featureSet
  for (let i = 0; i < names.length; i++) features[names[i]!] = scored.features[i]!
  return {
    paymentId: scored.id,
    eventTime: scored.eventTimeMs,
    probability: champion!.probability,
    score: Math.round(champion!.probability * 1_000) / 10,
    decision: scored.decision,
    threshold: champion!.threshold,
    policyId: scenario.decide.id,
    ruleHits: scored.ruleHits.map(({ name, version: ruleVersion }) => ({ rule: name, version: ruleVersion })),
    reasons: reasonsOf(names, scored),
    features,
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
}

function outcomeEvent(labelled: Labelled, scenario: Scenario): Outcome {
  const [champion, ...others] = labelled.arms
  return {
    paymentId: labelled.id,
    eventTime: labelled.eventTimeMs,
    labelTime: labelled.labelTimeMs,
    fraud: labelled.truth,
    source: labelled.source as Outcome['source'],
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
