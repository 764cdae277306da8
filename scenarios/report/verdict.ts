import type { Interval } from '../../processors/metrics/bootstrap.ts'
import { armStyles, sentence } from './arm-style.ts'
import { chart, linearScale, roundTicks, xAxis } from './chart.ts'
import { html, type Markup } from './markup.ts'
import { percent, points } from './number-format.ts'
import type { ArmComparison, Evaluation } from './report-data.ts'

/** What the page says first: whether learning helped, by how much, and how sure that is. */
export function verdict(evaluation: Evaluation): Markup {
  return evaluation.comparison === null ? single(evaluation) : compared(evaluation, evaluation.comparison)
}

function compared(evaluation: Evaluation, comparison: ArmComparison): Markup {
  const styles = armStyles([comparison.reference, comparison.candidate])
  const reference = styles[0]!.label
  const candidate = styles[1]!.label
  const { atTarget, atLowerFpr, laxFpr } = comparison
  const rate = percent(evaluation.targetFpr)
  return html`<section class="verdict" aria-labelledby="verdict">
<div>
<h2 id="verdict">${headline(atTarget.difference, candidate, reference)}</h2>
<p class="figure"><strong>${points(atTarget.difference.value)}</strong> points of recall</p>
<p class="interval">${range(atTarget.difference)}, ${percent(comparison.confidence, 0)} interval, at ${rate} false positives</p>
<p>${sentence(candidate)} finds <b>${percent(atTarget.candidate.value)}</b> of the ${evaluation.words.positives}, ${reference} <b>${percent(atTarget.reference.value)}</b>. Where ${reference} may raise more false alarms (${percent(laxFpr)} against ${rate}), the difference is ${points(atLowerFpr.difference.value)} points (${range(atLowerFpr.difference)}).</p>
<p class="zh" lang="zh-Hans">${chinese(evaluation, comparison)}</p>
</div>
${intervals(comparison, rate)}
</section>`
}

function headline({ low, high }: Interval, candidate: string, reference: string): string {
  if (low > 0) return `${sentence(candidate)} beats ${reference}`
  if (high < 0) return `${sentence(candidate)} falls behind ${reference}`
  return `${sentence(candidate)} and ${reference}: no clear difference`
}

function range({ low, high }: Interval): string {
  return `${points(low)} to ${points(high)}`
}

const chineseNames: Readonly<Record<string, string>> = { selfOptimising: '自优化模型', frozen: '冻结模型' }

function chinese({ targetFpr }: Evaluation, comparison: ArmComparison): string {
  const { candidate, reference, difference } = comparison.atTarget
  const [subject, other] = [comparison.candidate, comparison.reference].map((name) => chineseNames[name] ?? name)
  const range = `${percent(comparison.confidence, 0)} 置信区间 ${points(difference.low)} 至 ${points(difference.high)}`
  return `误报率 ${percent(targetFpr)} 时：${subject!}召回率 ${percent(candidate.value)}，${other!} ${percent(reference.value)}，相差 ${points(difference.value)} 个百分点（${range}）。`
}

function intervals({ reference, candidate, atTarget, confidence }: ArmComparison, rate: string): Markup {
  const styles = armStyles([reference, candidate])
  const rows = [atTarget.reference, atTarget.candidate]
  const low = Math.max(0, Math.min(...rows.map((row) => row.low)) - 0.02)
  const high = Math.min(1, Math.max(...rows.map((row) => row.high)) + 0.02)
  const x = linearScale(low, high, 24, 396)
  const drawn = rows.map((row, i) => {
    const y = 44 + i * 62
    const { className, label } = styles[i]!
    return html`<text class="row-name" x="24" y="${y - 18}">${label}</text><text class="row-value" x="396" y="${y - 18}" text-anchor="end">${percent(row.value)}</text><line class="whisker ${className}" x1="${x(row.low)}" x2="${x(row.high)}" y1="${y}" y2="${y}"/><circle class="estimate ${className}" cx="${x(row.value)}" cy="${y}" r="7"/>`
  })
  const ticks = roundTicks(low, high, 5).map((value) => ({ value, label: percent(value, 0) }))
  return chart(
    {
      id: 'recall-intervals',
      title: `Recall at ${rate} false positives, with ${percent(confidence, 0)} intervals`,
      description: rows
        .map(
          (row, i) => `${styles[i]!.label}: ${percent(row.value)}, from ${percent(row.low)} to ${percent(row.high)}.`,
        )
        .join(' '),
      width: 420,
      height: 176,
    },
    html`<line class="stroke" x1="24" x2="396" y1="138" y2="138"/>`,
    xAxis(x, ticks, 138),
    html`${drawn}`,
  )
}

function single(evaluation: Evaluation): Markup {
  const [style] = armStyles(evaluation.arms.map(({ name }) => name))
  const [arm] = evaluation.arms
  const at = arm!.recallAtFpr.find(({ fpr }) => fpr === evaluation.targetFpr)
  const recall = at === undefined ? arm!.causal.recall : at.recall
  const where = at === undefined ? 'at the live threshold' : `at ${percent(evaluation.targetFpr)} false positives`
  return html`<section class="verdict" aria-labelledby="verdict"><div>
<h2 id="verdict">${sentence(style!.label)} finds ${percent(recall)} of the ${evaluation.words.positives}</h2>
<p class="interval">${where}; there is no second arm to compare it with</p>
<p class="zh" lang="zh-Hans">召回率 ${percent(recall)}（目标误报率 ${percent(evaluation.targetFpr)}）。</p>
</div></section>`
}
