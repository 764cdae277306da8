import {
  changed,
  compute,
  count,
  derive,
  distinct,
  type FeatureDeclaration,
  last,
  mean,
  ratio,
  seen,
  sinceLast,
  speed,
  sum,
  value,
  variance,
} from '../../processors/features/declare.ts'
import { hash53 } from '../../processors/features/value-hash.ts'

/** What the functions below read of a payment. */
interface PaymentFacts {
  readonly eventTime: number
  readonly merchantCategory?: string | null
  readonly channel?: string | null
  readonly country?: string | null
}

/** A label as it reaches an entity: the payment's fields, and the truth. */
interface LabelFacts {
  readonly fraud: boolean | number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const genuine = (label: LabelFacts): boolean => !label.fraud
const hourOf = (payment: PaymentFacts): number => (payment.eventTime % DAY_MS) / HOUR_MS
/** 1970-01-01 was a Thursday. */
const isWeekend = (payment: PaymentFacts): boolean => (Math.floor(payment.eventTime / DAY_MS) + 3) % 7 >= 5
const code = (name: string | null | undefined): number => (name == null ? Number.NaN : hash53(name))

/** The payment by itself. Hours and days are UTC. */
const payment: readonly FeatureDeclaration[] = [
  value('amount'),
  compute<PaymentFacts>('hour', hourOf),
  compute<PaymentFacts>('night', (event) => (hourOf(event) < 6 ? 1 : 0)),
  compute<PaymentFacts>('weekend', (event) => (isWeekend(event) ? 1 : 0)),
  compute<PaymentFacts>('merchantCategory', (event) => code(event.merchantCategory)),
  compute<PaymentFacts>('channel', (event) => code(event.channel)),
  compute<PaymentFacts>('country', (event) => code(event.country)),
]

/** What the customer usually does. */
const customer: readonly FeatureDeclaration[] = [
  count().by('customerId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  sum('amount').by('customerId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  mean('amount').by('customerId').over('24 h', '7 d', '30 d'),
  mean('amount').by('customerId').halfLife('30 d'),
  variance('amount').by('customerId').over('30 d'),
  ratio('declined').by('customerId').over('1 h'),
  ratio('declined').by('customerId').halfLife('1 h'),
  sinceLast().by('customerId'),
  distinct('deviceId').by('customerId').over('24 h', '7 d'),
  changed('deviceId').by('customerId'),
  seen('deviceId').by('customerId').over('30 d'),
  seen('terminalId').by('customerId').over('30 d'),
  seen('country').by('customerId').over('30 d'),
  seen('merchantCategory').by('customerId').over('30 d'),
  speed('latitude', 'longitude').by('customerId'),
]

/** What happens at the terminal. */
const terminal: readonly FeatureDeclaration[] = [
  count().by('terminalId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  sum('amount').by('terminalId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  mean('amount').by('terminalId').over('24 h', '7 d', '30 d'),
  ratio('declined').by('terminalId').over('1 h'),
  ratio('declined').by('terminalId').halfLife('1 h'),
  sinceLast().by('terminalId'),
]

/** Who uses the device. A customer id stands for one card or account, so distinct customers are distinct cards. */
const device: readonly FeatureDeclaration[] = [
  count().by('deviceId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  sum('amount').by('deviceId').over('1 min', '1 h', '24 h', '7 d', '30 d'),
  ratio('declined').by('deviceId').over('1 h'),
  ratio('declined').by('deviceId').halfLife('1 h'),
  sinceLast().by('deviceId'),
  distinct('customerId').by('deviceId').over('24 h', '7 d'),
]

/** What is known about an entity from labels, each from the time on at which it became known. */
function risk(keyField: string): readonly FeatureDeclaration[] {
  return [
    count().of('label').by(keyField).over('24 h', '7 d', '30 d'),
    count().of('label').where('fraud').by(keyField).over('24 h', '7 d', '30 d'),
    count().of('label').where('fraud').by(keyField).halfLife('7 d'),
    ratio('fraud').of('label').by(keyField).over('24 h', '7 d', '30 d'),
    ratio('fraud').of('label').by(keyField).halfLife('24 h', '7 d', '30 d'),
    last('fraud').of('label').by(keyField),
    sinceLast().of('label').by(keyField),
    sinceLast().of('label').where('fraud').by(keyField),
    sinceLast().of('label').where('genuine', genuine).by(keyField),
  ]
}

/** The amount against what is usual. A fraud inflates a customer's plain mean, so genuine payments have one of theirs. */
const amountAgainstUsual: readonly FeatureDeclaration[] = [
  mean('amount')
    .of('label')
    .where('genuine', genuine)
    .by('customerId')
    .halfLife('30 d')
    .as('customerId.genuineAmount.mean'),
  variance('amount')
    .of('label')
    .where('genuine', genuine)
    .by('customerId')
    .over('30 d')
    .as('customerId.genuineAmount.variance'),
  derive('amount/customerId.mean.30d', ['amount', 'customerId.mean.amount.30d'], quotient),
  derive('amount/customerId.mean.halfLife.30d', ['amount', 'customerId.mean.amount.halfLife.30d'], quotient),
  derive('amount/customerId.genuineMean', ['amount', 'customerId.genuineAmount.mean'], quotient),
  derive(
    'customerId.amount.deviation',
    ['amount', 'customerId.mean.amount.30d', 'customerId.variance.amount.30d'],
    deviation,
  ),
  derive(
    'customerId.genuineAmount.deviation',
    ['amount', 'customerId.genuineAmount.mean', 'customerId.genuineAmount.variance'],
    deviation,
  ),
  derive('amount/terminalId.mean.30d', ['amount', 'terminalId.mean.amount.30d'], quotient),
]

/** Features of a payment, in the order of the feature vector. Fields that a stream lacks leave theirs missing (NaN). */
export const fraudFeatures: readonly FeatureDeclaration[] = [
  ...payment,
  ...customer,
  ...terminal,
  ...device,
  ...risk('customerId'),
  ...risk('terminalId'),
  ...risk('deviceId'),
  ...amountAgainstUsual,
]

/** Features whose numbers are codes of names. */
export const fraudCategories: readonly string[] = ['merchantCategory', 'channel', 'country']

function quotient(part: number, whole: number): number {
  return whole === 0 ? Number.NaN : part / whole
}

/** How many standard deviations from the mean; NaN where nothing has varied yet. */
function deviation(amount: number, usual: number, spread: number): number {
  return spread > 0 ? (amount - usual) / Math.sqrt(spread) : Number.NaN
}
