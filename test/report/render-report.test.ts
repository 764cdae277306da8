import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEvaluation } from '../../scenarios/report/evaluation.ts'
import { html } from '../../scenarios/report/markup.ts'
import { plainModels } from '../../scenarios/report/model-table.ts'
import { renderReport } from '../../scenarios/report/render-report.ts'
import type { ReportData } from '../../scenarios/report/report-data.ts'
import { timeAxis } from '../../scenarios/report/time-axis.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 31)

/** 1,000 payments over the days, every 20th a fraud that the second arm sees and the first sees half of the time. */
function evaluated(arms: readonly string[], days = 70) {
  const evaluation = createEvaluation({
    arms,
    rules: ['device-farm'],
    words: { events: 'payments', positives: 'frauds' },
    targetFpr: 0.012,
    resamples: 40,
  })
  for (let i = 0; i < 1_000; i++) {
    const label = i % 20 === 0
    const risk = (seen: boolean): number => (label && seen ? 0.9 : 0.01) + (i % 97) / 10_000
    const outcome = { threshold: 0.5 }
    evaluation.add({
      id: `p-${i}`,
      eventTimeMs: START_MS + Math.floor((i * days * DAY_MS) / 1_000),
      label,
      ruleHits: label && i % 40 === 0 ? ['device-farm'] : [],
      arms: Object.fromEntries(
        arms.map((name, arm) => [name, { ...outcome, probability: risk(arm > 0 || i % 40 === 0) }]),
      ),
    })
  }
  return evaluation.measure()
}

const models = {
  evaluation: evaluated(['ftrl', 'selfOptimising', 'trees<1>']),
  roles: ['the online model alone', 'all of them blended', 'a model alone'],
}
const both = evaluated(['frozen', 'selfOptimising'])

function reportOf(changes: Partial<ReportData> = {}): string {
  return renderReport({
    title: 'Fraud: drift stream, seed 1',
    facts: [{ name: 'Model', value: 'ftrl' }],
    flow: { input: 1_010, scored: 1_000, deadLetters: 4, late: 3, duplicates: 2, deleted: 1 },
    evaluation: both,
    models: null,
    marks: [{ atMs: START_MS + 20 * DAY_MS, label: 'device farms start' }],
    spans: [{ attack: 'device-farm', fromMs: START_MS + 20 * DAY_MS, untilMs: START_MS + 90 * DAY_MS }],
    fprBand: { low: 0.01, high: 0.014 },
    ...changes,
  })
}

/** The tags left open or closed without being open, in a page whose void elements are known. */
function unbalanced(page: string): string[] {
  const open: string[] = []
  const wrong: string[] = []
  const body = page.replace(/<style>.*?<\/style>/s, '')
  for (const [, slash, name, selfClosed] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)\b(?:[^<>"]|"[^"]*")*?(\/?)>/g)) {
    if (selfClosed === '/' || ['meta', 'br'].includes(name!)) continue
    if (slash !== '/') open.push(name!)
    else if (open.at(-1) === name) open.pop()
    else wrong.push(name!)
  }
  return [...wrong, ...open]
}

describe('the report', () => {
  test('says first who wins, by how much, and how sure that is', () => {
    const page = reportOf()
    const { difference } = both.comparison!.atTarget
    expect(page).toContain('<h2 id="verdict">Self-optimising beats frozen</h2>')
    expect(page).toContain(`<strong>+${(100 * difference.value).toFixed(1)}</strong> points of recall`)
    expect(page).toContain(
      `+${(100 * difference.low).toFixed(1)} to +${(100 * difference.high).toFixed(1)}, 95 % interval`,
    )
    expect(page).toMatch(/<p class="zh" lang="zh-Hans">误报率 1\.2 % 时：自优化模型召回率/)
  })

  test('shows what each model was worth beside the champion, here and in the terminal', () => {
    const { atTarget } = models.evaluation.comparison!
    const gain = `selfOptimising minus ftrl alone at 1.2 %: +${(100 * atTarget.difference.value).toFixed(1)} points of recall`
    expect(reportOf()).not.toContain('Models beside the online one')
    const page = reportOf({ models })
    expect(page).toContain(gain)
    const [online, , trees] = models.evaluation.arms
    const recall = (arm = online!) => `${(100 * arm.recallAtFpr[1]!.recall).toFixed(1)} %`
    expect(recall(online)).not.toBe(recall(trees))
    const rowOf = (name: string) => page.match(new RegExp(`<tr><th scope="row">${name}</th>.*?</tr>`))?.[0]
    expect(rowOf('ftrl, the online model alone')).toContain(`<td>${recall(online)}</td>`)
    expect(rowOf('trees&lt;1&gt;, a model alone')).toContain(`<td>${recall(trees)}</td>`)
    expect(unbalanced(page)).toEqual([])
    const lines = plainModels(models).split('\n')
    expect(lines[2]).toMatch(/^ftrl .* the online model alone$/)
    expect(lines[4]).toContain(recall(trees))
    expect(lines.at(-1)).toContain(gain)
  })

  test('claims no winner when the interval holds zero, and owns up to a loss', () => {
    const withDifference = (low: number, high: number): string => {
      const atTarget = { ...both.comparison!.atTarget, difference: { value: (low + high) / 2, low, high } }
      return reportOf({ evaluation: { ...both, comparison: { ...both.comparison!, atTarget } } })
    }
    expect(withDifference(-0.01, 0.02)).toContain('Self-optimising and frozen: no clear difference')
    expect(withDifference(-0.03, -0.01)).toContain('Self-optimising falls behind frozen')
  })

  test('shows what each rule found, and no table without rules', () => {
    const cells = ['25', '25', '100.0 %', '0', '0'].map((cell) => `<td>${cell}</td>`).join('')
    expect(reportOf()).toContain(`<tr><th scope="row">device-farm</th>${cells}</tr>`)
    expect(reportOf({ evaluation: { ...both, rules: [] } })).not.toContain('Rules beside the model')
  })

  test('loads nothing: no script, no link, no address', () => {
    const page = reportOf()
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    expect(page).not.toMatch(/<script|<link|<img|<iframe|https?:|url\(|@import|\s(src|href)=/i)
  })

  test('escapes whatever text it is given', () => {
    const evil = `</title><script>alert("1")</script>'&\u202e\u0000`
    const page = reportOf({
      title: evil,
      facts: [{ name: evil, value: evil }],
      marks: [{ atMs: START_MS + DAY_MS, label: evil }],
      spans: [{ attack: evil, fromMs: START_MS, untilMs: START_MS + DAY_MS }],
      evaluation: evaluated([evil, `"><b onload="x`]),
    })
    expect(page).not.toMatch(/<script|<b onload/)
    for (const char of ['\u0000', '\u202e']) expect(page).not.toContain(char)
    expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;')
    expect(unbalanced(page)).toEqual([])
  })

  test('gives every chart a title and a description, and no id twice', () => {
    const page = reportOf()
    const charts = [...page.matchAll(/<svg role="img" aria-labelledby="([^" ]+) ([^"]+)"/g)]
    expect(charts).toHaveLength(5)
    for (const [, title, desc] of charts) {
      expect(page).toMatch(new RegExp(`<title id="${title}">[^<]+</title><desc id="${desc}">[^<]+</desc>`))
    }
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(unbalanced(page)).toEqual([])
  })

  test('numbers the changes inside the measured time only', () => {
    const page = reportOf({
      marks: [
        { atMs: START_MS - 1, label: 'too early' },
        { atMs: START_MS + 40 * DAY_MS, label: 'second' },
        { atMs: START_MS + 20 * DAY_MS, label: 'first' },
        { atMs: START_MS + 400 * DAY_MS, label: 'too late' },
      ],
    })
    expect(page).toContain('<li><b>1</b>2026-02-20: first</li><li><b>2</b>2026-03-12: second</li></ol>')
    expect(page).not.toContain('too ')
  })

  test('adds up what went in, and says so when it does not', () => {
    expect(reportOf()).toContain('Nothing lost, nothing doubled')
    const page = reportOf({ flow: { input: 9, scored: 5, deadLetters: 1, late: 0, duplicates: 0, deleted: 0 } })
    expect(page).toContain('In and out differ by 3')
    expect(page).not.toContain('Nothing lost')
  })

  test('does with one arm, and with nothing measured', () => {
    const one = reportOf({ evaluation: evaluated(['frozen']) })
    expect(one).toMatch(/Frozen finds \d+\.\d % of the fraud/)
    expect(one).not.toContain('difference')
    expect(unbalanced(one)).toEqual([])
    const none = reportOf({ evaluation: null })
    expect(none).toContain('No quality measured')
    expect(none).not.toContain('<svg')
  })

  test('draws weeks without frauds as gaps, whatever the stretch of time', () => {
    const week = fc.record({
      recall: fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 1, noNaN: true })),
      falsePositiveRate: fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 1, noNaN: true })),
    })
    fc.assert(
      fc.property(
        fc.array(week, { maxLength: 150 }),
        fc.integer({ min: 1, max: 2_000 * DAY_MS }),
        (rates, lengthMs) => {
          const weeks = rates.map((rate, i) => {
            const fromMs = START_MS + i * 7 * DAY_MS
            return { fromMs, untilMs: fromMs + 7 * DAY_MS, frauds: 1, negatives: 9, ...rate }
          })
          const arms = both.arms.map((arm) => ({ ...arm, weeks }))
          const page = reportOf({ evaluation: { ...both, untilMs: START_MS + lengthMs, arms } })
          expect(page).not.toMatch(/NaN|Infinity|undefined/)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('labels a day as well as ten years with days or months that fit beside each other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 0, max: 400 * DAY_MS }), (days, offsetMs) => {
        const fromMs = START_MS + offsetMs
        const { ticks, x } = timeAxis(fromMs, fromMs + days * DAY_MS, 0, 1_000)
        expect(ticks.length).toBeGreaterThan(0)
        const places = ticks.map(({ value }) => x(value))
        for (const [i, place] of places.entries()) {
          expect(place).toBeGreaterThanOrEqual(0)
          expect(place).toBeLessThanOrEqual(1_000)
          if (i > 0) expect(place - places[i - 1]!).toBeGreaterThan(50)
        }
      }),
    )
  })

  test('is the same bytes for the same data', () => {
    expect(reportOf()).toBe(reportOf())
  })
})

describe('the template tag', () => {
  test('refuses numbers that cannot be drawn', () => {
    expect(() => html`<line x1="${Number.NaN}"/>`).toThrow(RangeError)
    expect(() => html`${Infinity}`).toThrow(RangeError)
  })

  test('escapes text, keeps markup, joins lists, leaves out null', () => {
    expect(html`<p>${'<a>'}${html`<b>${1 / 3}</b>`}${['x', null, '"']}</p>`.markup).toBe(
      '<p>&lt;a&gt;<b>0.33</b>x&quot;</p>',
    )
  })
})
