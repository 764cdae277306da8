import type { Interval } from '../../processors/metrics/bootstrap.ts'
import type { ReliabilityBin } from '../../processors/metrics/calibration.ts'
import type { CurvePoint } from '../../processors/metrics/ranking.ts'
import type { PeriodRates } from '../../processors/metrics/rates-by-period.ts'

/** Everything `renderReport` shows. Rates are shares (0.012 = 1.2 %), times are event time in ms since 1970 (UTC). */
export interface ReportData {
  /** E.g. "Fraud: drift stream, seed 1". */
  readonly title: string
  /** What was run, in the order shown: stream, seed, command, feature-set version … */
  readonly facts: readonly RunFact[]
  /** What went in and what came out of the replay. null: not known, the line is left out. */
  readonly flow: FlowCounts | null
  /** null: nothing could be measured, as without labels. */
  readonly evaluation: Evaluation | null
  /** null: no model scored. */
  readonly models: ModelFigures | null
  /** Changes of the world, drawn as vertical marks. */
  readonly marks: readonly { readonly atMs: number; readonly label: string }[]
  /** Times of activity, drawn as bars under the curves; half-open. */
  readonly spans: readonly { readonly attack: string; readonly fromMs: number; readonly untilMs: number }[]
  /** The band that the realised false-positive rate should keep. */
  readonly fprBand: { readonly low: number; readonly high: number }
}

export interface RunFact {
  readonly name: string
  readonly value: string
}

/** input = scored + deadLetters + late + duplicates + deleted, where nothing is lost or doubled. */
export interface FlowCounts {
  readonly input: number
  readonly scored: number
  readonly deadLetters: number
  readonly late: number
  readonly duplicates: number
  /** Rows withdrawn at their source (CDC): nothing to score. */
  readonly deleted: number
}

/** What reports call the scored events, and those of them whose label is true: `payments`, `frauds`. */
export interface Words {
  readonly events: string
  readonly positives: string
}

/** The online model alone first, then the champion that blends it, the models, the other arms. */
export interface ModelFigures {
  /** On the events that models scored. */
  readonly evaluation: Evaluation
  /** What each of its arms is, in words. */
  readonly roles: readonly string[]
}

/** What `createEvaluation` measures. */
export interface Evaluation {
  readonly words: Words
  /** The window evaluated, event time of the payments, half-open. */
  readonly fromMs: number
  readonly untilMs: number
  readonly outcomes: number
  readonly frauds: number
  /** Outcomes that replaced an earlier one of the same payment. */
  readonly corrections: number
  readonly targetFpr: number
  /** What the policy has to see before it has a threshold, in words; null: nothing. */
  readonly startsAt: string | null
  /** In the order given to `createEvaluation`. */
  readonly arms: readonly ArmEvaluation[]
  /** In the order given to `createEvaluation`. What they add to decisions is in no arm's figures. */
  readonly rules: readonly RuleFigures[]
  /** null with one arm only. */
  readonly comparison: ArmComparison | null
}

/** What a rule found among the measured outcomes. */
export interface RuleFigures {
  readonly name: string
  /** Payments that it applied to, and the frauds among them. */
  readonly hits: number
  readonly frauds: number
  /** Those that the first arm's threshold alone would have allowed, and the frauds among them. */
  readonly hitsAlone: number
  readonly fraudsAlone: number
}

export interface ArmEvaluation {
  readonly name: string
  readonly rocAuc: number
  readonly averagePrecision: number
  /** At the oracle threshold, chosen with all labels known. */
  readonly recallAtFpr: readonly { readonly fpr: number; readonly recall: number }[]
  /** Precision among the 100 riskiest payments of each day, mean over days. */
  readonly precisionTop100: number
  readonly calibrationError: number
  readonly logLoss: number
  readonly brierScore: number
  /** Outcomes that were scored before there was a threshold. */
  readonly unset: number
  /** At the causal threshold: what would have happened live. */
  readonly causal: { readonly recall: number; readonly falsePositiveRate: number; readonly precision: number }
  /** The last reading of the fading log loss, recall and false-positive rate, in order of event time. */
  readonly fading: {
    readonly factor: number
    readonly logLoss: number
    readonly recall: number
    readonly falsePositiveRate: number
  }
  readonly curve: readonly CurvePoint[]
  readonly reliability: readonly ReliabilityBin[]
  readonly weeks: readonly PeriodRates[]
}

/** The second of two arms (`candidate`) against the first (`reference`). */
export interface ArmComparison {
  readonly reference: string
  readonly candidate: string
  /** Both at the target false-positive rate. */
  readonly atTarget: RecallGain
  /** The candidate at the target rate against the reference at the laxer rate `laxFpr`. */
  readonly atLowerFpr: RecallGain
  readonly laxFpr: number
  /** The share of resamples inside the intervals. */
  readonly confidence: number
}

export interface RecallGain {
  readonly reference: Interval
  readonly candidate: Interval
  readonly difference: Interval
}
