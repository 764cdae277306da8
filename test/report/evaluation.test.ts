import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEvaluation } from '../../scenarios/report/evaluation.ts'
import { createOutcomeTable, type EvaluatedOutcome } from '../../scenarios/report/outcome-table.ts'
import { plainSummary, thresholdNote } from '../../scenarios/report/summary-table.ts'

const DAY_MS = 86_400_000

function outcome(id: number, eventTimeMs: number, label: boolean, frozen: number, learning: number): EvaluatedOutcome {
  return {
    id: `p-${id}`,
    eventTimeMs,
    label,
    arms: {
      frozen: { probability: frozen, threshold: 0.5 },
      learning: { probability: learning, threshold: 0.5 },
    },
    ruleHits: [],
  }
}

describe('the outcome table', () => {
  test('equals a map by payment id, whatever is corrected and in whatever order it comes', () => {
    const step = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 50 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = createOutcomeTable(['frozen'])
        const naive = new Map<number, { timeMs: number; label: boolean }>()
        for (const [id, timeMs, label] of steps) {
          table.put(outcome(id, timeMs, label, 0.5, 0.5))
          naive.set(id, { timeMs, label })
        }
        expect(table.size).toBe(naive.size)
        expect(table.corrections).toBe(steps.length - naive.size)
        const expected = [...naive.values()].filter((row) => row.timeMs >= 10 && row.timeMs < 40)
        const columns = table.between(10, 40)
        expect([...columns.timesMs]).toEqual(expected.map((row) => row.timeMs).sort((a, b) => a - b))
        expect(columns.labels.reduce((a, b) => a + b, 0)).toBe(expected.filter((row) => row.label).length)
      }),
    )
  })

  test('keeps 50,000 payments apart while it grows', () => {
    const table = createOutcomeTable(['frozen'])
    for (let id = 0; id < 50_000; id++) table.put(outcome(id, id, id % 50 === 0, 0.1, 0.1))
    for (let id = 0; id < 50_000; id += 2) table.put(outcome(id, id, false, 0.2, 0.2))
    expect(table.size).toBe(50_000)
    expect(table.corrections).toBe(25_000)
    expect(table.between(0, Infinity).labels.reduce((a, b) => a + b, 0)).toBe(0)
  })

  test('an outcome without an arm, or with no probability, is refused and changes nothing', () => {
    const table = createOutcomeTable(['frozen', 'third'])
    expect(() => table.put(outcome(1, 0, true, 0.5, 0.5))).toThrow(/third/)
    const nan = createOutcomeTable(['frozen'])
    expect(() => nan.put(outcome(1, 0, true, Number.NaN, 0.5))).toThrow(RangeError)
    expect(table.size + nan.size).toBe(0)
  })
})

describe('the evaluation', () => {
  const evaluation = createEvaluation({ arms: ['frozen', 'learning'], targetFpr: 0.5, fprs: [0, 0.5] })
  // Four payments in two weeks: the learning arm finds both frauds, the frozen one only the first.
  evaluation.add(outcome(1, 0, true, 0.9, 0.9))
  evaluation.add(outcome(2, DAY_MS, false, 0.6, 0.1))
  evaluation.add(outcome(3, 8 * DAY_MS, true, 0.2, 0.8))
  evaluation.add(outcome(4, 9 * DAY_MS, false, 0.3, 0.2))

  test('by hand: both arms, in total and by week', () => {
    const { arms, frauds, outcomes } = evaluation.measure()
    expect([outcomes, frauds]).toEqual([4, 2])
    expect(arms.map((arm) => arm.recallAtFpr.map(({ recall }) => recall))).toEqual([
      [0.5, 0.5],
      [1, 1],
    ])
    expect(arms[0]!.causal).toEqual({ recall: 0.5, falsePositiveRate: 0.5, precision: 0.5 })
    expect(arms[1]!.causal).toEqual({ recall: 1, falsePositiveRate: 0, precision: 1 })
    expect(arms[0]!.weeks.map((week) => [week.recall, week.falsePositiveRate])).toEqual([
      [1, 1],
      [0, 0],
    ])
  })

  test('a window of event time is half-open', () => {
    const window = evaluation.measure({ fromMs: DAY_MS, untilMs: 9 * DAY_MS })
    expect([window.outcomes, window.frauds]).toEqual([2, 1])
    expect(() => evaluation.measure({ fromMs: 8 * DAY_MS, untilMs: 9 * DAY_MS })).toThrow(/both kinds/)
  })

  test('the comparison subtracts the first arm from the second', () => {
    const { comparison } = evaluation.measure()
    expect(comparison).toMatchObject({ reference: 'frozen', candidate: 'learning' })
    expect(comparison!.atTarget.difference.value).toBe(0.5)
  })

  test('the plain summary names every arm and aligns its columns', () => {
    const lines = plainSummary(evaluation.measure()).trimEnd().split('\n')
    expect(lines[0]).toMatch(/frozen +learning +difference$/)
    expect(lines.find((line) => line.startsWith('Recall, live threshold'))).toMatch(/50\.0 % +100\.0 % +\+50\.0$/)
    expect(new Set(lines.slice(0, 2).map((line) => line.length)).size).toBe(1)
  })

  test('says why a live threshold stopped nothing: there was none yet', () => {
    const fresh = createEvaluation({ arms: ['frozen', 'learning'], targetFpr: 0.5, startsAt: '60 negatives in 7 days' })
    for (const id of [1, 2, 3, 4]) {
      const { arms, ...rest } = outcome(id, id, id % 2 === 0, 0.1, 0.1)
      const threshold = id < 4 ? 1 : 0.5
      fresh.add({ ...rest, arms: { ...arms, learning: { probability: 0.1, threshold } } })
    }
    expect(thresholdNote(fresh.measure())).toBe(
      'learning had no threshold yet for 3 of 4 events, and allowed them: its policy starts at 60 negatives in 7 days.',
    )
    expect(thresholdNote(evaluation.measure())).toBeNull()
  })

  test('says what rules found, and what the threshold alone would have allowed; they change no rate', () => {
    const measure = (ruleHits: readonly string[]) => {
      const ruled = createEvaluation({ arms: ['frozen', 'learning'], rules: ['a', 'b', 'c'], targetFpr: 0.5 })
      for (let id = 0; id < 8; id++) {
        const hits = id < 4 ? ruleHits : []
        ruled.add({ ...outcome(id, id, id % 2 === 0, 0.4, id < 2 ? 0.6 : 0.4), ruleHits: hits })
      }
      // A correction is no second hit.
      ruled.add({ ...outcome(3, 3, true, 0.4, 0.4), ruleHits })
      return ruled.measure({ untilMs: 6 })
    }
    const [a, b, c] = measure(['a', 'b']).rules
    expect(a).toEqual({ name: 'a', hits: 4, frauds: 3, hitsAlone: 2, fraudsAlone: 2 })
    expect(b).toEqual({ ...a, name: 'b' })
    expect(c).toEqual({ name: 'c', hits: 0, frauds: 0, hitsAlone: 0, fraudsAlone: 0 })
    expect(measure(['a']).arms).toEqual(measure([]).arms)
  })

  test('a late label replaces what was concluded', () => {
    const corrected = createEvaluation({ arms: ['frozen'], targetFpr: 0.5 })
    for (let id = 0; id < 4; id++) corrected.add(outcome(id, id, id === 0, 0.4, 0.4))
    corrected.add(outcome(3, 3, true, 0.4, 0.4))
    expect(corrected.measure()).toMatchObject({ outcomes: 4, frauds: 2, corrections: 1, comparison: null })
  })
})
