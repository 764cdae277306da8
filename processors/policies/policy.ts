/** From mild to severe. */
export type Verdict = 'allow' | 'review' | 'challenge' | 'block'

export interface Decision {
  readonly decision: Verdict
  /** The probability from which on this payment is not allowed: 0 all, 1 none. */
  readonly threshold: number
}

/** A score as it was served. */
export interface Served {
  /** Log-odds as served: the number that `decide` was given and that thresholds cut. */
  readonly logit: number
  /** Calibrated probability of fraud as served. */
  readonly probability: number
  /** Event time of the payment (not of its label), milliseconds since 1970. */
  readonly eventTimeMs: number
  /** In the payment's currency. */
  readonly amount: number
}

/** A served score whose label has become visible. */
export interface Outcome extends Served {
  readonly label: 0 | 1
}

/** What a trainer publishes: a few numbers, whose meaning the policy knows. */
export type PolicySettings = readonly number[]

/** Learns a policy's settings from the past. Its state is bounded, and the same observations give the same settings. */
export interface PolicyTrainer {
  /** Every score, when it is served. */
  observeScore(score: Served): void
  /** Every label, when it becomes visible: after minutes or weeks. */
  observeOutcome(outcome: Outcome): void
  /** A label that replaces the opposite one observed before; `outcome` holds the new label. */
  correctOutcome(outcome: Outcome): void
  /** The settings as of now. Costs a scan of the histogram's upper bins: ask once per batch, publish what changed. */
  settings(): PolicySettings
  encode(): Uint8Array
}

/** How a score becomes a decision. `decide` is pure, so a scorer needs only the latest settings. */
export interface Policy {
  readonly id: string
  /** Changes whenever the same score and settings could be decided otherwise. */
  readonly version: string
  /** What has to be seen before anything is stopped, in words: `2,500 negatives in 7 days`. Left out: nothing. */
  readonly startsAt?: string
  /** What holds until a trainer publishes. */
  readonly initialSettings: PolicySettings
  createTrainer(): PolicyTrainer
  /** A trainer that continues from what `encode` gave. */
  decodeTrainer(bytes: Uint8Array): PolicyTrainer
  decide(probability: number, logit: number, amount: number, settings: PolicySettings): Decision
}

export function sameSettings(a: PolicySettings, b: PolicySettings): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]))
}
