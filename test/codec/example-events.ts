import type { Label } from '../../schemas/generated/fraud/label.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { Payment } from '../../schemas/generated/fraud/payment.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import type { ModelRecord } from '../../schemas/generated/models/model-record.ts'

export const examplePayment: Payment = {
  paymentId: 'p-1029384',
  eventTime: 1_522_540_831_000,
  customerId: 'c-596',
  terminalId: 't-3156',
  deviceId: 'd-77120',
  ip: null,
  country: 'DE',
  latitude: 52.52,
  longitude: 13.405,
  merchantCategory: '5411',
  channel: 'pos',
  currency: 'EUR',
  amount: 57.16,
  declined: false,
}

export const exampleLabel: Label = {
  paymentId: 'p-1029384',
  eventTime: 1_522_541_731_000,
  fraud: true,
  source: 'chargeback',
}

export const exampleScore: Score = {
  paymentId: 'p-1029384',
  eventTime: 1_522_540_831_000,
  probability: 0.0271,
  score: 41.5,
  decision: 'review',
  threshold: 0.0198,
  policyId: 'fpr-0.012',
  ruleHits: [{ rule: 'amount-above-limit', version: 2 }],
  reasons: [
    {
      feature: 'count(24 h) by customer',
      value: 17,
      contribution: 0.81,
      textEn: '17 payments in a day',
      textZh: '一天内支付17次',
    },
    { feature: 'amount', value: 57.16, contribution: -0.12, textEn: 'A usual amount', textZh: '金额正常' },
  ],
  features: Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [`feature_${i}_window_24h`, i === 3 ? Number.NaN : i * 1.5]),
  ),
  featureSetVersion: 'f3a91c',
  modelName: 'ftrl',
  modelVersion: 48_211,
  challengers: { frozen: 0.031 },
  propensity: 1,
  degraded: false,
}

export const exampleOutcome: Outcome = {
  paymentId: 'p-1029384',
  eventTime: 1_522_540_831_000,
  labelTime: 1_522_541_731_000,
  fraud: true,
  source: 'chargeback',
  corrected: false,
  probability: 0.0271,
  threshold: 0.0198,
  decision: 'review',
  ruleHits: ['device-farm'],
  modelVersion: 48_211,
  challengers: { frozen: { probability: 0.031, threshold: 0.02 } },
}

export const exampleModelRecord: ModelRecord = {
  name: 'trees',
  version: '3',
  sha256: '9f'.repeat(32),
  action: 'serve',
  eventTime: 1_522_540_800_000,
  manifest: '{"name":"trees"}',
}
