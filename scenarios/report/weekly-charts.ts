import type { PeriodRates } from '../../processors/metrics/rates-by-period.ts'
import type { ArmStyle } from './arm-style.ts'
import { armStyles } from './arm-style.ts'
import { chart, dot, linearScale, path, roundTicks, type Scale, xAxis, yAxis } from './chart.ts'
import { html, type Markup } from './markup.ts'
import { day, percent, whole } from './number-format.ts'
import type { Evaluation, ReportData } from './report-data.ts'
import { timeAxis } from './time-axis.ts'

const WIDTH = 1040
const LEFT = 52
const RIGHT = WIDTH - 14
const TOP = 30
const PLOT_HEIGHT = 220
const BOTTOM = TOP + PLOT_HEIGHT
const SPAN_ROW = 19
/** Marks closer than this are numbered on two levels. */
const MARK_ROOM = 20

type Share = 'recall' | 'falsePositiveRate'

/** Recall at the live threshold per week of event time, with the world's changes, and attacks as bars below. */
export function recallChart(data: ReportData, evaluation: Evaluation): Markup {
  const styles = armStyles(evaluation.arms.map(({ name }) => name))
  const { x, ticks } = timeAxis(evaluation.fromMs, evaluation.untilMs, LEFT, RIGHT)
  const lowest = smallest(evaluation, 'recall')
  const y = linearScale(Math.max(0, Math.floor((lowest - 0.03) * 10) / 10), 1, BOTTOM, TOP)
  const attacks = [...new Set(data.spans.map(({ attack }) => attack))]
  const rows = attacks.map((attack, row) => attackRow(data, attack, BOTTOM + 34 + row * SPAN_ROW, x))
  const height = BOTTOM + 30 + (attacks.length > 0 ? attacks.length * SPAN_ROW + 6 : 0)
  return chart(
    {
      id: 'recall-weekly',
      title: 'Recall per week',
      description: inWords(evaluation, styles, 'recall'),
      width: WIDTH,
      height,
    },
    yAxis(y, shareTicks(y, 5), LEFT, RIGHT),
    xAxis(x, ticks, BOTTOM),
    html`${rows}`,
    drawMarks(visibleMarks(data, evaluation), x, height),
    html`${evaluation.arms.map(({ weeks }, i) => weekly(weeks, 'recall', styles[i]!, x, y, evaluation))}`,
  )
}

/** The realised false-positive rate per week against the band that it should keep. */
export function falsePositiveChart(data: ReportData, evaluation: Evaluation): Markup {
  const styles = armStyles(evaluation.arms.map(({ name }) => name))
  const { x, ticks } = timeAxis(evaluation.fromMs, evaluation.untilMs, LEFT, RIGHT)
  const { low, high } = data.fprBand
  const y = linearScale(0, Math.max(1.35 * high, 1.08 * largest(evaluation, 'falsePositiveRate')), BOTTOM, TOP)
  const target = y(evaluation.targetFpr)
  return chart(
    {
      id: 'fpr-weekly',
      title: 'False-positive rate per week',
      description: `The band goes from ${percent(low)} to ${percent(high)}. ${inWords(evaluation, styles, 'falsePositiveRate')}`,
      width: WIDTH,
      height: BOTTOM + 28,
    },
    html`<rect class="band" x="${LEFT}" y="${y(high)}" width="${RIGHT - LEFT}" height="${Math.max(0, y(low) - y(high))}"/>`,
    yAxis(y, shareTicks(y, 5), LEFT, RIGHT),
    html`<line class="target" x1="${LEFT}" x2="${RIGHT}" y1="${target}" y2="${target}"/>`,
    xAxis(x, ticks, BOTTOM),
    html`${evaluation.arms.map(({ weeks }, i) => weekly(weeks, 'falsePositiveRate', styles[i]!, x, y, evaluation))}`,
  )
}

/** Changes inside the measured stretch, in the order of their numbers on the chart. */
export function visibleMarks(data: ReportData, { fromMs, untilMs }: Evaluation): ReportData['marks'] {
  return data.marks.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).sort((a, b) => a.atMs - b.atMs)
}

function drawMarks(shown: ReportData['marks'], x: Scale, bottom: number): Markup {
  let before = -Infinity
  let isRaised = false
  const marks = shown.map(({ atMs, label }, index) => {
    const at = x(atMs)
    isRaised = at - before < MARK_ROOM && !isRaised
    before = at
    const y = isRaised ? 8 : 19
    return html`<g class="mark"><title>${day(atMs)}: ${label}</title><line x1="${at}" x2="${at}" y1="${y}" y2="${BOTTOM}"/><line x1="${at}" x2="${at}" y1="${BOTTOM + 28}" y2="${bottom}"/><circle cx="${at}" cy="${y}" r="8"/><text x="${at}" y="${y + 3.8}" text-anchor="middle">${String(index + 1)}</text></g>`
  })
  return html`${marks}`
}

function attackRow(data: ReportData, attack: string, top: number, x: Scale): Markup {
  const shown = data.spans
    .filter((span) => span.attack === attack && span.fromMs < x.high && span.untilMs > x.low)
    .map(({ fromMs, untilMs }) => ({ from: x(Math.max(fromMs, x.low)), until: x(Math.min(untilMs, x.high)) }))
  if (shown.length === 0)
    return html`<text class="note" x="${LEFT + 6}" y="${top + 12}">${attack}: not in this time</text>`
  const isLate = shown[0]!.from > LEFT + 0.85 * (RIGHT - LEFT)
  const at = isLate ? shown[0]!.from - 6 : shown[0]!.from + 6
  return html`${shown.map(({ from, until }) => html`<rect class="attack" x="${from}" y="${top}" width="${Math.max(1, until - from)}" height="${SPAN_ROW - 4}" rx="3"/>`)}<text class="attack-name" x="${at}" y="${top + 11.5}" text-anchor="${isLate ? 'end' : 'start'}">${attack}</text>`
}

function weekly(
  weeks: readonly PeriodRates[],
  share: Share,
  style: ArmStyle,
  x: Scale,
  y: Scale,
  { fromMs, untilMs, words }: Evaluation,
): Markup {
  const points = weeks.map((week) => ({
    week,
    x: x((Math.max(week.fromMs, fromMs) + Math.min(week.untilMs, untilMs)) / 2),
    y: y(week[share]),
  }))
  const says = (week: PeriodRates): string => {
    const of =
      share === 'recall' ? `${whole(week.frauds)} ${words.positives}` : `${whole(week.negatives)} other ${words.events}`
    return `${style.label}, week of ${day(week.fromMs)}: ${percent(week[share], share === 'recall' ? 1 : 2)} of ${of}`
  }
  return html`${path(points, style.className)}${points.map((point) => dot(point.x, point.y, style.className, says(point.week)))}`
}

function shareTicks(y: Scale, count: number) {
  const values = roundTicks(y.low, y.high, count)
  const digits = values.every((value) => Math.abs(value * 100 - Math.round(value * 100)) < 1e-6) ? 0 : 1
  return values.map((value) => ({ value, label: percent(value, digits) }))
}

function sharesOf(evaluation: Evaluation, share: Share): number[] {
  return evaluation.arms.flatMap(({ weeks }) => weeks.map((week) => week[share]).filter(Number.isFinite))
}

function smallest(evaluation: Evaluation, share: Share): number {
  return sharesOf(evaluation, share).reduce((low, value) => Math.min(low, value), 1)
}

function largest(evaluation: Evaluation, share: Share): number {
  return sharesOf(evaluation, share).reduce((high, value) => Math.max(high, value), 0)
}

function inWords({ arms }: Evaluation, styles: readonly ArmStyle[], share: Share): string {
  const digits = share === 'recall' ? 1 : 2
  return arms
    .map(({ weeks }, i) => {
      const known = weeks.map((week) => week[share]).filter(Number.isFinite)
      if (known.length === 0) return `${styles[i]!.label}: no week to measure.`
      const range = `${percent(Math.min(...known), digits)} to ${percent(Math.max(...known), digits)}`
      return `${styles[i]!.label}: ${range} over ${known.length} weeks.`
    })
    .join(' ')
}
