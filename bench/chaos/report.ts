import type { Verdict } from '../../test/verify/verify-fraud.ts'
import { FAULTS, type FaultKind } from './faults.ts'
import type { Injected } from './inject.ts'
import type { Produced } from './produce.ts'

export interface ChaosReport {
  readonly seed: number
  readonly variant: string
  readonly produced: Produced
  readonly faults: Readonly<Record<FaultKind, number>>
  readonly faultsInAll: number
  /** The longest time for which a reader of the scores got none, while payments came. */
  readonly longestGapSeconds: number
  /** What was broken at its end. */
  readonly during: readonly string[]
  readonly producingSeconds: number
  readonly drainSeconds: number
  readonly seconds: number
  readonly workersStarted: number
  /** Workers that ended by themselves. */
  readonly quits: readonly object[]
  /** Errors that workers met and waited out, by code. */
  readonly troubles: Readonly<Record<string, number>>
  readonly verdict: Verdict
}

export function countFaults(injected: readonly Injected[]): Record<FaultKind, number> {
  const counts = Object.fromEntries(FAULTS.map((kind) => [kind, 0])) as Record<FaultKind, number>
  for (const { kind } of injected) counts[kind]++
  return counts
}

export function table(report: ChaosReport): string {
  const { verdict, produced, faults } = report
  const rows: [string, string | number][] = [
    ['lost', verdict.lost],
    ['doubled', verdict.doubled],
    ['scores of no payment', verdict.alien],
    ['out of order per key', verdict.outOfOrder],
    ['feature differences', `${verdict.featureDifferences} of ${verdict.featuresCompared}`],
    ['state differences', `${verdict.stateDifferences} in ${verdict.statesCompared} customers`],
    ['dead letters wrong', verdict.deadLetterFaults],
    ['payments / labels', `${produced.payments} / ${produced.labels}`],
    ['payments appended twice', verdict.duplicates],
    ['faults', report.faultsInAll],
    ...FAULTS.map((kind): [string, number] => [`  ${kind}`, faults[kind]]),
    ['longest gap in output', `${report.longestGapSeconds} s (${report.during.join(', ') || 'no fault under way'})`],
    ['workers started / ended by themselves', `${report.workersStarted} / ${report.quits.length}`],
    ['producing, draining, in all', `${report.producingSeconds}, ${report.drainSeconds}, ${report.seconds} s`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
  return [
    `chaos, seed ${report.seed}, ${report.variant}`,
    ...lines,
    ...verdict.examples.slice(0, 10).map((text) => `  ${text}`),
  ].join('\n')
}
