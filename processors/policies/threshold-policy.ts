import { sigmoid } from '../learners/sigmoid.ts'
import type { Decision, PolicySettings, Verdict } from './policy.ts'

/** Settings of a policy that cuts log-odds at one number. */
export function thresholdSettings(logit: number): PolicySettings {
  return [logit]
}

/** Nothing is above it: until there are enough observations, every payment is allowed. */
export const ALLOW_ALL: PolicySettings = thresholdSettings(Number.POSITIVE_INFINITY)

/** `above` for log-odds at or above the threshold, else allow. */
export function decideByThreshold(logit: number, settings: PolicySettings, above: Verdict): Decision {
  const threshold = settings[0] ?? Number.POSITIVE_INFINITY
  return { decision: logit >= threshold ? above : 'allow', threshold: sigmoid(threshold) }
}
