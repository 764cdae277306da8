import { type Rule, rule } from '../../processors/rules.ts'

/** Faster than any airliner, over a distance that bad coordinates do not explain. */
const AIRLINER_KM_PER_HOUR = 1_000
const FAR_KM = 100

const SECONDS_PER_HOUR = 3_600

/**
 * What nobody needs a model for, and what must hold on the first day, when no label has come yet. Windows hold the payments
 * before this one.
 */
export const fraudRules: readonly Rule[] = [
  /** The fourth payment of a customer within a minute: somebody tries out what the card allows. */
  rule('customer-velocity', 'challenge', ['customerId.count.1min'], ([payments]) => payments >= 3),
  /** A device on which four cards or accounts have paid within a day: more than a family has. */
  rule('device-farm', 'challenge', ['deviceId.distinct.customerId.24h'], ([customers]) => customers >= 4),
  /** Two places that nobody can be at in that time. */
  rule(
    'impossible-travel',
    'review',
    ['customerId.speed', 'customerId.sinceLast'],
    ([kmPerHour, seconds]) =>
      kmPerHour > AIRLINER_KM_PER_HOUR && (kmPerHour * Math.max(1, seconds)) / SECONDS_PER_HOUR > FAR_KM,
  ),
  /** A terminal at which nearly everything is declined: stolen numbers are being tried. */
  rule(
    'terminal-declines',
    'review',
    ['terminalId.count.1h', 'terminalId.ratio.declined.1h'],
    ([payments, declined]) => payments >= 20 && declined >= 0.8,
  ),
]
