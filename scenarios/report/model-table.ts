import { html, type Markup } from './markup.ts'
import { decimal, percent, points, whole } from './number-format.ts'
import type { ModelFigures } from './report-data.ts'

/** What models were worth, on the events that they scored, for the report. */
export function modelTable({ evaluation, roles }: ModelFigures): Markup {
  const { arms, words } = evaluation
  const rates = arms[0]!.recallAtFpr.map(({ fpr }) => `recall at ${percent(fpr)}`)
  const columns = [...rates, 'average precision', 'calibration error', 'log loss']
  const lines = arms.map((arm, i) => {
    const cells = [
      ...arm.recallAtFpr.map(({ recall }) => percent(recall)),
      decimal(arm.averagePrecision, 3),
      decimal(arm.calibrationError, 5),
      decimal(arm.logLoss, 5),
    ]
    return html`<tr><th scope="row">${arm.name}, ${roles[i]!}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`
  })
  return html`<section aria-labelledby="models"><h2 id="models">Models beside the online one</h2>
<p>On the ${whole(evaluation.outcomes)} ${words.events} that they scored, ${whole(evaluation.frauds)} ${words.positives}; recall at a false-positive rate. ${blendGain(evaluation)}</p>
<div class="scroll"><table><thead><tr><th scope="col"><span hidden>Arm</span></th>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${lines}</tbody></table></div></section>`
}

/** The same for a terminal, without colours. */
export function plainModels({ evaluation, roles }: ModelFigures): string {
  const { arms, outcomes, frauds, words } = evaluation
  const width = Math.max(...arms.map(({ name }) => name.length)) + 2
  const rates = arms[0]!.recallAtFpr.map(({ fpr }) => percent(fpr).padStart(8)).join('')
  const rows = arms.map(({ name, recallAtFpr }, i) => {
    const recalls = recallAtFpr.map(({ recall }) => percent(recall).padStart(8)).join('')
    return `${name.padEnd(width)}${recalls}   ${roles[i]!}`
  })
  const head = `With models, ${whole(outcomes)} ${words.events}, ${whole(frauds)} ${words.positives}: recall at a false-positive rate of`
  return [head, ''.padEnd(width) + rates, ...rows, blendGain(evaluation)].join('\n')
}

function blendGain({ comparison, targetFpr }: ModelFigures['evaluation']): string {
  if (comparison === null) return ''
  const { reference, candidate, atTarget, confidence } = comparison
  const { value, low, high } = atTarget.difference
  const range = `${points(low)} to ${points(high)}, ${percent(confidence, 0)} interval`
  return `${candidate} minus ${reference} alone at ${percent(targetFpr)}: ${points(value)} points of recall (${range}).`
}
