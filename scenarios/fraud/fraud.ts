import { ftrl } from '../../processors/learners/online-model.ts'
import { falsePositiveRateBelow } from '../../processors/policies/false-positive-rate-below.ts'
import { type CatalogueTopic, catalogueTopic } from '../../schemas/topics.ts'
import { defineScenario, type Scenario } from '../define-scenario.ts'
import { fraudCategories, fraudFeatures } from './features.ts'
import { fraudRules } from './rules.ts'
import { paymentStream } from './stream.ts'

/** The rate of false positives that the threshold aims at. */
const TARGET_FPR = 0.012

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
  scores: { topic: topic('scores') },
  outcomes: { topic: topic('outcomes') },
  evaluation: { targetFpr: TARGET_FPR, fprs: [0.001, TARGET_FPR, 0.018], band: { low: 0.01, high: 0.014 } },
  words: { events: 'payments', positives: 'frauds' },
  stream: paymentStream,
})

function topic(short: string): CatalogueTopic {
  return catalogueTopic('fraud', short)!
}
