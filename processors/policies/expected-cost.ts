import { RheoError } from '../../schemas/errors.ts'
import type { Decision, Policy, PolicyTrainer, Verdict } from './policy.ts'

/** What decisions cost. Money in the payments' currency, shares in [0, 1]. */
export interface Costs {
  /** Share of the amount lost to an undetected fraud. Default 1. */
  readonly fraudLossShare?: number
  /** Lost with every undetected fraud besides: chargeback fee, handling. */
  readonly fraudCost: number
  /** An analyst's look at one payment. Omitted: payments are never sent to review. */
  readonly reviewCost?: number
  /** Share of the frauds that a review finds. Default 1. */
  readonly reviewCatches?: number
  /** Asking the customer once more (one-time code, call). Omitted: customers are never challenged. */
  readonly challengeCost?: number
  /** Share of the frauds that a challenge stops. Default 0.9. */
  readonly challengeCatches?: number
  /** Share of legitimate customers who give up when challenged. Default 0.05. */
  readonly challengeAbandons?: number
  /** A legitimate payment that was refused: a call, a lost customer. Omitted: payments are never blocked. */
  readonly blockCost?: number
  /** Share of the amount earned with a legitimate payment, lost when it is refused or given up. Default 0.02. */
  readonly marginShare?: number
}

/** An action's expected cost at probability p of fraud: fixed + slope · p. */
interface Line {
  readonly verdict: Verdict
  readonly fixed: number
  readonly slope: number
}

/**
 * Takes the action that costs least in expectation, given the calibrated probability and the amount. At equal cost the
 * milder one. Nothing is learnt: the settings are empty. `threshold` is where, for this amount, allowing stops being
 * cheapest.
 */
export function expectedCost(costs: Costs): Policy {
  assertCosts(costs)
  return {
    id: 'expected-cost',
    version: `1;${Object.entries(costs)
      .map(([name, value]) => `${name}=${value}`)
      .sort()
      .join(';')}`,
    initialSettings: [],
    createTrainer: () => IDLE_TRAINER,
    decodeTrainer: () => IDLE_TRAINER,
    decide: (probability, _logit, amount) => cheapest(probability, linesFor(costs, Math.max(0, amount))),
  }
}

const IDLE_TRAINER: PolicyTrainer = {
  observeScore: () => undefined,
  observeOutcome: () => undefined,
  correctOutcome: () => undefined,
  settings: () => [],
  encode: () => new Uint8Array(0),
}

/** Allow first, then milder before more severe. */
function linesFor(costs: Costs, amount: number): Line[] {
  const loss = (costs.fraudLossShare ?? 1) * amount + costs.fraudCost
  const margin = (costs.marginShare ?? 0.02) * amount
  const lines: Line[] = [{ verdict: 'allow', fixed: 0, slope: loss }]
  if (costs.reviewCost !== undefined) {
    lines.push({ verdict: 'review', fixed: costs.reviewCost, slope: (1 - (costs.reviewCatches ?? 1)) * loss })
  }
  if (costs.challengeCost !== undefined) {
    const givenUp = (costs.challengeAbandons ?? 0.05) * margin
    const missed = (1 - (costs.challengeCatches ?? 0.9)) * loss
    lines.push({ verdict: 'challenge', fixed: costs.challengeCost + givenUp, slope: missed - givenUp })
  }
  if (costs.blockCost !== undefined) {
    const refused = costs.blockCost + margin
    lines.push({ verdict: 'block', fixed: refused, slope: -refused })
  }
  return lines
}

function cheapest(probability: number, lines: readonly Line[]): Decision {
  const allow = lines[0]!
  let best = allow
  let threshold = 1
  for (const line of lines) {
    if (line.fixed + line.slope * probability < best.fixed + best.slope * probability) best = line
    if (line !== allow && allow.slope > line.slope) {
      threshold = Math.min(threshold, line.fixed / (allow.slope - line.slope))
    }
  }
  return { decision: best.verdict, threshold }
}

function assertCosts(costs: Costs): void {
  for (const [name, value] of Object.entries(costs)) {
    const share = /Share$|Catches$|Abandons$/.test(name)
    if (value >= 0 && Number.isFinite(value) && (!share || value <= 1)) continue
    throw new RheoError('CONFIG_INVALID', `expectedCost: ${name} is ${value}`, {
      hint: 'Costs are amounts of money of at least 0; shares lie between 0 and 1.',
    })
  }
}
