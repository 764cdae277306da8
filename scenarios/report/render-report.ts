import { type ArmStyle, armStyles, sentence } from './arm-style.ts'
import { html, type Markup } from './markup.ts'
import { modelTable } from './model-table.ts'
import { day, decimal, percent, whole } from './number-format.ts'
import { calibrationChart, precisionRecallChart } from './quality-charts.ts'
import type { Evaluation, FlowCounts, ReportData, RuleFigures, RunFact } from './report-data.ts'
import { reportStyle } from './report-style.ts'
import { type SummaryRow, summaryRows, thresholdNote } from './summary-table.ts'
import { verdict } from './verdict.ts'
import { falsePositiveChart, recallChart, visibleMarks } from './weekly-charts.ts'

/**
 * One HTML page that a person reads in a minute, without scripts and without anything from the network (a policy in it
 * forbids both). All text is escaped. The same data give the same bytes.
 */
export function renderReport(data: ReportData): string {
  const { evaluation } = data
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${data.title}</title>
<style>${{ markup: reportStyle }}</style>
</head>
<body>
<main>
<header><h1>${data.title}</h1>${evaluation === null ? null : html`<p>${measured(evaluation)}</p>`}</header>
${evaluation === null ? unmeasured : quality(data, evaluation)}
${data.models === null ? null : modelTable(data.models)}
${data.flow === null ? null : flow(data.flow)}
${data.facts.length === 0 ? null : facts(data.facts)}
<footer>Times are event times in UTC. Every score was given before its label was known. Point at a dot to read its numbers.</footer>
</main>
</body>
</html>
`
  return page.markup
}

const unmeasured = html`<section><h2>No quality measured</h2><p>There were no labels, or labels of one kind only.</p></section>`

function measured({ fromMs, untilMs, outcomes, frauds, corrections, words }: Evaluation): string {
  const corrected = corrections > 0 ? `, ${whole(corrections)} labels corrected later` : ''
  return `Measured on ${whole(outcomes)} ${words.events}, ${day(fromMs)} to ${day(untilMs - 1)}: ${whole(frauds)} ${words.positives} (${percent(frauds / outcomes, 2)})${corrected}.`
}

function quality(data: ReportData, evaluation: Evaluation): Markup {
  const { arms } = evaluation
  const styles = armStyles(arms.map(({ name }) => name))
  const marks = visibleMarks(data, evaluation)
  const why = thresholdNote(evaluation)
  return html`${verdict(evaluation)}
<section aria-labelledby="recall"><h2 id="recall">${sentence(evaluation.words.positives)} found, week by week</h2>
<p>Recall at the threshold that was live at that moment.${marks.length > 0 ? ' Numbers mark changes of the world.' : ''}${data.spans.length > 0 ? ' Bars show when each attack was active.' : ''}${why === null ? '' : ` ${why}`}</p>
${key(styles)}
${scrollable('Recall per week', recallChart(data, evaluation))}
${marksList(marks)}</section>
<section aria-labelledby="fpr"><h2 id="fpr">False alarms, week by week</h2>
<p>${inBand(data, evaluation, styles)}</p>
${key(styles, [], bandKey(data, evaluation))}
${scrollable('False-positive rate per week', falsePositiveChart(data, evaluation))}</section>
<div class="pair">
<section aria-labelledby="pr"><h2 id="pr">Precision over recall</h2>
<p>Higher is better. Rings: the live threshold. Figures: average precision.</p>
${key(
  styles,
  arms.map(({ averagePrecision }) => decimal(averagePrecision, 3)),
)}
${precisionRecallChart(evaluation)}</section>
<section aria-labelledby="cal"><h2 id="cal">Calibration: observed over predicted</h2>
<p>On the diagonal, what was predicted happened. Figures: calibration error.</p>
${key(
  styles,
  arms.map(({ calibrationError }) => decimal(calibrationError, 5)),
)}
${calibrationChart(evaluation)}</section>
</div>
${table(evaluation, styles)}
${evaluation.rules.length === 0 ? null : rules(evaluation)}`
}

function key(styles: readonly ArmStyle[], values: readonly string[] = [], more: Markup | null = null): Markup {
  const entries = styles.map(({ label, className }, i) => {
    const line = html`<svg viewBox="0 0 34 12" aria-hidden="true"><path class="line ${className}" d="M1 6H33"/><circle class="dot ${className}" cx="17" cy="6" r="3.6"/></svg>`
    return html`<li>${line}${label}${values[i] === undefined ? null : html` <b>${values[i]}</b>`}</li>`
  })
  return html`<ul class="key">${entries}${more}</ul>`
}

function bandKey({ fprBand: { low, high } }: ReportData, { targetFpr }: Evaluation): Markup {
  const swatch = html`<svg viewBox="0 0 34 12" aria-hidden="true"><rect class="band" width="34" height="12"/><path class="target" d="M0 6H34"/></svg>`
  return html`<li>${swatch}target ${percent(targetFpr)}, band ${percent(low)} to ${percent(high)}</li>`
}

/** On a narrow screen the chart is scrolled, also by keyboard, rather than shrunk until nobody can read it. */
function scrollable(name: string, content: Markup): Markup {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${name}">${content}</div>`
}

function marksList(marks: ReportData['marks']): Markup | null {
  if (marks.length === 0) return null
  const entries = marks.map(({ atMs, label }, i) => html`<li><b>${String(i + 1)}</b>${day(atMs)}: ${label}</li>`)
  return html`<ol class="marks">${entries}</ol>`
}

function inBand({ fprBand: { low, high } }: ReportData, evaluation: Evaluation, styles: readonly ArmStyle[]): string {
  const said = evaluation.arms.map(({ weeks, causal }, i) => {
    const known = weeks.filter((week) => Number.isFinite(week.falsePositiveRate))
    const inside = known.filter(({ falsePositiveRate }) => falsePositiveRate >= low && falsePositiveRate <= high)
    return `${styles[i]!.label} ${percent(causal.falsePositiveRate, 2)} on the whole, ${inside.length} of ${known.length} weeks inside the band`
  })
  return `Other ${evaluation.words.events} that were flagged at the live threshold: ${said.join('; ')}. ${byChance(evaluation)}`
}

/** How far a week's rate strays although the threshold is right: 1.96 standard errors of a share. */
function byChance({ arms, targetFpr, words }: Evaluation): string {
  const sizes = arms[0]!.weeks.map(({ negatives }) => negatives).sort((a, b) => a - b)
  const size = sizes[Math.floor(sizes.length / 2)] ?? 0
  if (size === 0) return ''
  const error = 1.96 * Math.sqrt((targetFpr * (1 - targetFpr)) / size)
  return `Of ${whole(size)} other ${words.events} a week, chance alone moves a rate of ${percent(targetFpr)} by ±${(100 * error).toFixed(2)} points.`
}

function table(evaluation: Evaluation, styles: readonly ArmStyle[]): Markup {
  const isPair = styles.length > 1
  const main = `Recall at ${percent(evaluation.targetFpr)} false positives`
  const line = (row: SummaryRow): Markup => {
    const cells = row.values.map((value) => html`<td>${value}</td>`)
    return html`<tr class="${row.name === main ? 'main' : ''}"><th scope="row">${row.name}</th>${cells}${isPair ? differenceCell(row) : null}</tr>`
  }
  return html`<section aria-labelledby="arms"><h2 id="arms">${isPair ? 'Both arms side by side' : 'All figures'}</h2>
<div class="scroll"><table><thead><tr><th scope="col"><span hidden>Measure</span></th>${styles.map(({ label }) => html`<th scope="col">${label}</th>`)}${isPair ? html`<th scope="col">difference</th>` : null}</tr></thead>
<tbody>${summaryRows(evaluation).map(line)}</tbody></table></div></section>`
}

function differenceCell({ difference, sign }: SummaryRow): Markup {
  if (sign === 0) return html`<td>${difference}</td>`
  const says = sign > 0 ? 'better' : 'worse'
  return html`<td class="${says}">${difference} <span role="img" aria-label="${says}" title="${says}">${sign > 0 ? '✓' : '✗'}</span></td>`
}

function rules({ rules: all, words }: Evaluation): Markup {
  const { positives } = words
  const head = ['Rule', 'applied', positives, 'share', 'model had allowed', `${positives} among these`]
  const line = ({ name, hits, frauds, hitsAlone, fraudsAlone }: RuleFigures): Markup => {
    const cells = [whole(hits), whole(frauds), percent(frauds / hits), whole(hitsAlone), whole(fraudsAlone)]
    return html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`
  }
  return html`<section aria-labelledby="rules"><h2 id="rules">Rules beside the model</h2>
<p>Rules raise decisions and change no probability. Every figure above is of the models alone.</p>
<div class="scroll"><table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${all.map(line)}</tbody></table></div></section>`
}

function flow({ input, scored, deadLetters, late, duplicates, deleted }: FlowCounts): Markup {
  const out = scored + deadLetters + late + duplicates + deleted
  const parts = [
    { name: 'scored', count: scored },
    { name: 'dead letters', count: deadLetters },
    { name: 'late', count: late },
    { name: 'duplicates', count: duplicates },
    ...(deleted > 0 ? [{ name: 'deleted', count: deleted }] : []),
  ]
  const term = (name: string, count: number): Markup => html`<span><b>${whole(count)}</b><small>${name}</small></span>`
  const sum = parts.map(({ name, count }, i) => html`${i > 0 ? html`<span>+</span>` : null}${term(name, count)}`)
  const lost = html`<p class="worse">In and out differ by ${whole(Math.abs(input - out))}: records were lost or doubled.</p>`
  return html`<section aria-labelledby="flow"><h2 id="flow">${input === out ? 'Nothing lost, nothing doubled' : 'In and out do not balance'}</h2>
<div class="flow">${term('in', input)}<span>${input === out ? '=' : '≠'}</span>${sum}</div>${input === out ? null : lost}</section>`
}

function facts(all: readonly RunFact[]): Markup {
  const entries = all.map(({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)
  return html`<section aria-labelledby="facts"><h2 id="facts">This run</h2><dl>${entries}</dl></section>`
}
