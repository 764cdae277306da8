import { armStyles } from './arm-style.ts'
import { chart, dot, linearScale, path, xAxis, yAxis } from './chart.ts'
import { html, type Markup } from './markup.ts'
import { decimal, percent, whole } from './number-format.ts'
import type { Evaluation } from './report-data.ts'

const WIDTH = 500
const HEIGHT = 380
const LEFT = 48
const RIGHT = WIDTH - 14
const TOP = 12
const BOTTOM = HEIGHT - 46

const TICKS = [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, label: percent(value, 0) }))
const x = linearScale(0, 1, LEFT, RIGHT)
const y = linearScale(0, 1, BOTTOM, TOP)

function axes(xName: string): Markup {
  return html`${yAxis(y, TICKS, LEFT, RIGHT)}${xAxis(x, TICKS, BOTTOM)}<text class="note" x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${xName}</text>`
}

/** Precision over recall for every threshold; a ring where the live threshold stood on the whole. */
export function precisionRecallChart({ arms }: Evaluation): Markup {
  const styles = armStyles(arms.map(({ name }) => name))
  const live = arms.map(({ causal }, i) => {
    if (!Number.isFinite(causal.recall) || !Number.isFinite(causal.precision)) return html``
    const says = `${styles[i]!.label} at the live threshold: precision ${percent(causal.precision)}, recall ${percent(causal.recall)}`
    return html`<circle class="ring ${styles[i]!.className}" cx="${x(causal.recall)}" cy="${y(causal.precision)}" r="6"><title>${says}</title></circle>`
  })
  return chart(
    {
      id: 'precision-recall',
      title: 'Precision over recall',
      description: arms
        .map(({ averagePrecision }, i) => `${styles[i]!.label}: average precision ${decimal(averagePrecision, 3)}.`)
        .join(' '),
      width: WIDTH,
      height: HEIGHT,
    },
    axes('recall →'),
    html`${arms.map(({ curve }, i) =>
      path(
        curve.map((at) => ({ x: x(at.recall), y: y(at.precision) })),
        styles[i]!.className,
      ),
    )}`,
    html`${live}`,
  )
}

/** The share of positives among events that were given about the same probability; on the diagonal it is what was said. */
export function calibrationChart({ arms, words }: Evaluation): Markup {
  const styles = armStyles(arms.map(({ name }) => name))
  return chart(
    {
      id: 'calibration',
      title: `Observed over predicted ${words.positives}`,
      description: arms
        .map(({ calibrationError }, i) => `${styles[i]!.label}: calibration error ${decimal(calibrationError, 5)}.`)
        .join(' '),
      width: WIDTH,
      height: HEIGHT,
    },
    axes('predicted probability →'),
    html`<line class="target" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/>`,
    html`${arms.map(({ reliability }, i) => {
      const { className, label } = styles[i]!
      const points = reliability.map((bin) => ({ bin, x: x(bin.predicted), y: y(bin.observed) }))
      return html`${path(points, className)}${points.map((at) =>
        dot(
          at.x,
          at.y,
          className,
          `${label}: predicted ${percent(at.bin.predicted)}, observed ${percent(at.bin.observed)} of ${whole(at.bin.count)} ${words.events}`,
        ),
      )}`
    })}`,
  )
}
