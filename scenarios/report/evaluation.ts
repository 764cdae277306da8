import { compareRecall } from '../../processors/metrics/bootstrap.ts'
import { brierScore, calibrationError, logLoss, reliabilityBins } from '../../processors/metrics/calibration.ts'
import { createFadingMetrics } from '../../processors/metrics/fading-metrics.ts'
import { precisionTopK } from '../../processors/metrics/precision-top-k.ts'
import { rankScores } from '../../processors/metrics/ranked-scores.ts'
import { averagePrecision, precisionRecallCurve, recallAtFpr, rocAuc } from '../../processors/metrics/ranking.ts'
import { ratesByPeriod } from '../../processors/metrics/rates-by-period.ts'
import { createOutcomeTable, type EvaluatedOutcome, type OutcomeColumns } from './outcome-table.ts'
import type { ArmComparison, ArmEvaluation, Evaluation, Words } from './report-data.ts'
import { createRuleTable } from './rule-table.ts'

const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS

export interface EvaluationOptions {
  /** Names of the arms; with two, the second is compared with the first (e.g. frozen, self-optimising). */
  readonly arms: readonly string[]
  /** Default `events` and `positives`. */
  readonly words?: Words
  /** Names of the scenario's rules. Default none. */
  readonly rules?: readonly string[]
  /** The arm whose decisions rules raise. Default the last. */
  readonly champion?: string
  /** The false-positive rate that decisions aim at. */
  readonly targetFpr: number
  /** What the policy has to see before it has a threshold, in words. Default: nothing. */
  readonly startsAt?: string | undefined
  /** The laxer rate that the first arm is granted in the second comparison. Default: 1.5 × the target. */
  readonly laxFpr?: number
  /** Rates at which recall is reported. Default: a twelfth of the target, the target, and one and a half times the target. */
  readonly fprs?: readonly number[]
  /** Gama et al. 2013; default 0.999, about the last 1,000 outcomes. */
  readonly fadingFactor?: number
  /** Default 200. */
  readonly resamples?: number
  /** Of the bootstrap. Default 1. */
  readonly seed?: number
}

/** Collects outcomes one by one and measures them at any time. */
export interface EvaluationCollector {
  readonly size: number
  /** Takes one outcome; a later one of the same payment replaces it (a late label corrects an earlier conclusion). */
  add(outcome: EvaluatedOutcome): void
  /**
   * Measures the outcomes whose payment lies in [fromMs, untilMs); without arguments all of them.
   *
   * @throws RangeError when there are no frauds or no other payments in the window: nothing can be measured
   */
  measure(window?: { readonly fromMs?: number; readonly untilMs?: number }): Evaluation
}

export function createEvaluation(options: EvaluationOptions): EvaluationCollector {
  const table = createOutcomeTable(options.arms)
  const champion = options.champion ?? options.arms.at(-1)!
  const rules = createRuleTable(options.rules ?? [], champion)
  return {
    get size() {
      return table.size
    },
    add(outcome) {
      table.put(outcome)
      rules.put(outcome)
    },
    measure(window = {}) {
      const columns = table.between(window.fromMs ?? -Infinity, window.untilMs ?? Infinity)
      const outcomes = columns.labels.length
      const frauds = columns.labels.reduce((sum, label) => sum + label, 0)
      if (frauds === 0 || frauds === outcomes) {
        throw new RangeError(`cannot evaluate ${outcomes} outcomes with ${frauds} positives: both kinds are needed`)
      }
      const fromMs = window.fromMs ?? columns.timesMs[0]!
      return {
        words: options.words ?? { events: 'events', positives: 'positives' },
        fromMs,
        untilMs: window.untilMs ?? columns.timesMs[outcomes - 1]! + 1,
        outcomes,
        frauds,
        corrections: table.corrections,
        targetFpr: options.targetFpr,
        startsAt: options.startsAt ?? null,
        arms: options.arms.map((name, index) => measureArm(name, index, columns, fromMs, options)),
        rules: rules.between(window.fromMs ?? -Infinity, window.untilMs ?? Infinity),
        comparison: options.arms.length < 2 ? null : compareArms(columns, options),
      }
    },
  }
}

function ratesOf({ fprs, targetFpr }: EvaluationOptions): readonly number[] {
  return fprs ?? [targetFpr / 12, targetFpr, 1.5 * targetFpr]
}

function measureArm(
  name: string,
  index: number,
  { timesMs, labels, arms }: OutcomeColumns,
  fromMs: number,
  options: EvaluationOptions,
): ArmEvaluation {
  const { probabilities, flags, unset } = arms[index]!
  const ranked = rankScores(probabilities, labels)
  const reliability = reliabilityBins(probabilities, labels, 10)
  const factor = options.fadingFactor ?? 0.999
  const fading = createFadingMetrics(factor)
  for (let i = 0; i < labels.length; i++) fading.update(probabilities[i]!, flags[i] === 1, labels[i] === 1)
  const whole = createFadingMetrics(1)
  for (let i = 0; i < labels.length; i++) whole.update(probabilities[i]!, flags[i] === 1, labels[i] === 1)
  const { recall, falsePositiveRate, precision } = whole.read()
  return {
    name,
    rocAuc: rocAuc(ranked),
    averagePrecision: averagePrecision(ranked),
    recallAtFpr: ratesOf(options).map((fpr) => ({ fpr, recall: recallAtFpr(ranked, fpr) })),
    precisionTop100: precisionTopK(probabilities, labels, timesMs, 100, DAY_MS),
    calibrationError: calibrationError(reliability),
    logLoss: logLoss(probabilities, labels),
    brierScore: brierScore(probabilities, labels),
    unset: unset.reduce((sum, one) => sum + one, 0),
    causal: { recall, falsePositiveRate, precision },
    fading: { factor, ...fading.read() },
    curve: precisionRecallCurve(ranked, 160),
    reliability,
    weeks: ratesByPeriod(timesMs, labels, flags, Math.floor(fromMs / DAY_MS) * DAY_MS, WEEK_MS),
  }
}

function compareArms({ labels, arms }: OutcomeColumns, options: EvaluationOptions): ArmComparison {
  const bootstrap = { seed: options.seed ?? 1, resamples: options.resamples ?? 200, confidence: 0.95 }
  const laxFpr = options.laxFpr ?? 1.5 * options.targetFpr
  const gain = (referenceFpr: number) => {
    const { first, second, difference } = compareRecall(
      labels,
      { scores: arms[0]!.probabilities, fpr: referenceFpr },
      { scores: arms[1]!.probabilities, fpr: options.targetFpr },
      bootstrap,
    )
    return { reference: first, candidate: second, difference }
  }
  return {
    reference: options.arms[0]!,
    candidate: options.arms[1]!,
    atTarget: gain(options.targetFpr),
    atLowerFpr: gain(laxFpr),
    laxFpr,
    confidence: bootstrap.confidence,
  }
}
