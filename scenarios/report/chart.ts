import { html, type Markup } from './markup.ts'

/** A linear way from values to pixels; `from` may lie above `until` (y grows downwards). */
export interface Scale {
  (value: number): number
  readonly low: number
  readonly high: number
}

export function linearScale(low: number, high: number, from: number, until: number): Scale {
  const span = high > low ? high - low : 1
  return Object.assign((value: number) => from + ((value - low) / span) * (until - from), { low, high })
}

export interface ChartFrame {
  /** Unique on the page. */
  readonly id: string
  readonly title: string
  /** The chart in words, for those who do not see it. */
  readonly description: string
  readonly width: number
  readonly height: number
}

/** An SVG with title and description, as wide as its place. */
export function chart(frame: ChartFrame, ...content: readonly Markup[]): Markup {
  const { id, title, description, width, height } = frame
  return html`<svg role="img" aria-labelledby="${id}-title ${id}-desc" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
${content}
</svg>`
}

export interface Tick {
  readonly value: number
  readonly label: string
}

/** Horizontal grid lines with their values left of the plot. */
export function yAxis(y: Scale, ticks: readonly Tick[], left: number, right: number): Markup {
  return html`${ticks.map(
    ({ value, label }) =>
      html`<line class="grid" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/><text class="tick" x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${label}</text>`,
  )}`
}

/** Values below the plot, with short strokes. */
export function xAxis(x: Scale, ticks: readonly Tick[], bottom: number): Markup {
  return html`${ticks.map(
    ({ value, label }) =>
      html`<line class="stroke" x1="${x(value)}" x2="${x(value)}" y1="${bottom}" y2="${bottom + 5}"/><text class="tick" x="${x(value)}" y="${bottom + 19}" text-anchor="middle">${label}</text>`,
  )}`
}

/** A line through the points; a point whose value is no number breaks it. */
export function path(points: readonly { readonly x: number; readonly y: number }[], className: string): Markup {
  let isOpen = false
  const steps = points.map(({ x, y }) => {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      isOpen = false
      return null
    }
    const step = html`${isOpen ? 'L' : 'M'}${x} ${y}`
    isOpen = true
    return step
  })
  return html`<path class="line ${className}" d="${steps}"/>`
}

/** A point with what it says when pointed at. */
export function dot(x: number, y: number, className: string, says: string): Markup {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return html``
  return html`<circle class="dot ${className}" cx="${x}" cy="${y}" r="3.6"><title>${says}</title></circle>`
}

/** Round values from `low` to `high`: about `count` of them, in steps of 1, 2 or 5 times a power of ten. */
export function roundTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count
  if (!(rough > 0)) return [low]
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999)!
  const first = Math.ceil(low / step - 1e-9)
  const ticks: number[] = []
  for (let i = first; i * step <= high + step * 1e-9; i++) ticks.push(i * step)
  return ticks
}
