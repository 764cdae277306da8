import { decimal, percent, points, whole } from './number-format.ts'
import type { Evaluation } from './report-data.ts'

export interface SummaryRow {
  readonly name: string
  readonly values: readonly string[]
  /** The second arm minus the first, in the row's own unit; '' with one arm. */
  readonly difference: string
  /** Whether the second arm is better (1), worse (-1), or neither. */
  readonly sign: -1 | 0 | 1
}

/** Both arms side by side, row by row: for the report and for the terminal. */
export function summaryRows(evaluation: Evaluation): SummaryRow[] {
  const { arms } = evaluation
  const share = (name: string, of: (arm: (typeof arms)[number]) => number, digits = 1, better: 1 | -1 | 0 = 1) =>
    row(
      name,
      arms.map(of),
      (value) => percent(value, digits),
      (value) => points(value, digits),
      better,
    )
  const number = (name: string, of: (arm: (typeof arms)[number]) => number, digits: number, better: 1 | -1) =>
    row(
      name,
      arms.map(of),
      (value) => decimal(value, digits),
      (value) => signed(value, digits),
      better,
    )
  return [
    ...arms[0]!.recallAtFpr.map(({ fpr }, index) =>
      share(`Recall at ${percent(fpr)} false positives`, (arm) => arm.recallAtFpr[index]!.recall),
    ),
    share('Recall, live threshold', (arm) => arm.causal.recall),
    share('False-positive rate, live threshold', (arm) => arm.causal.falsePositiveRate, 2, 0),
    share('Precision, live threshold', (arm) => arm.causal.precision),
    share('Precision, top 100 a day', (arm) => arm.precisionTop100),
    number('Average precision', (arm) => arm.averagePrecision, 3, 1),
    number('ROC AUC', (arm) => arm.rocAuc, 4, 1),
    number('Calibration error', (arm) => arm.calibrationError, 5, -1),
    number('Log loss', (arm) => arm.logLoss, 5, -1),
    number('Brier score', (arm) => arm.brierScore, 5, -1),
  ]
}

/** Why a live threshold stopped less than it might have: there was none yet. null where the last arm, the champion, had one. */
export function thresholdNote({ arms, outcomes, startsAt, words }: Evaluation): string | null {
  const { name, unset } = arms.at(-1)!
  if (startsAt === null || unset === 0) return null
  return `${name} had no threshold yet for ${whole(unset)} of ${whole(outcomes)} ${words.events}, and allowed them: its policy starts at ${startsAt}.`
}

function row(
  name: string,
  values: readonly number[],
  format: (value: number) => string,
  formatDifference: (value: number) => string,
  better: 1 | -1 | 0,
): SummaryRow {
  const difference = values.length < 2 ? Number.NaN : values[1]! - values[0]!
  const text = Number.isFinite(difference) ? formatDifference(difference) : ''
  const visible = /[1-9]/.test(text)
  const sign = !visible || better === 0 ? 0 : difference * better > 0 ? 1 : -1
  return { name, values: values.map(format), difference: text, sign }
}

function signed(value: number, digits: number): string {
  const text = decimal(Math.abs(value), digits)
  if (!/[1-9]/.test(text)) return text
  return value < 0 ? `−${text}` : `+${text}`
}

/** The evaluation as plain text for a terminal: no colours, aligned columns, ends with a line feed. */
export function plainSummary(evaluation: Evaluation): string {
  const rows = summaryRows(evaluation)
  const heads = ['', ...evaluation.arms.map((arm) => arm.name), ...(evaluation.arms.length > 1 ? ['difference'] : [])]
  const cells = rows.map((line) => [
    line.name,
    ...line.values,
    ...(evaluation.arms.length > 1 ? [line.difference] : []),
  ])
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((line) => line[column]!.length)))
  const print = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2)))
      .join('')
      .trimEnd()
  return `${[heads, ...cells].map(print).join('\n')}\n`
}
