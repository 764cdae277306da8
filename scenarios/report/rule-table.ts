import { type EvaluatedOutcome, isFlagged } from './outcome-table.ts'
import type { RuleFigures } from './report-data.ts'

interface Hit {
  readonly eventTimeMs: number
  readonly label: boolean
  /** The champion's threshold alone would have allowed it. */
  readonly alone: boolean
  readonly rules: readonly string[]
}

/** What rules found. Holds the outcomes that a rule applied to, by id: a later outcome replaces an earlier one. */
export interface RuleTable {
  put(outcome: EvaluatedOutcome): void
  /** In the order of the names, of the events with time in [fromMs, untilMs). */
  between(fromMs: number, untilMs: number): RuleFigures[]
}

/** @param champion the arm whose decisions the rules raise */
export function createRuleTable(names: readonly string[], champion: string): RuleTable {
  const hits = new Map<string, Hit>()
  return {
    put({ id, eventTimeMs, label, arms, ruleHits }) {
      if (ruleHits.length === 0) return
      hits.set(id, { eventTimeMs, label, alone: !isFlagged(arms[champion]!), rules: ruleHits })
    },
    between(fromMs, untilMs) {
      const inWindow = [...hits.values()].filter(({ eventTimeMs }) => eventTimeMs >= fromMs && eventTimeMs < untilMs)
      return names.map((name) => {
        const own = inWindow.filter(({ rules }) => rules.includes(name))
        const alone = own.filter((hit) => hit.alone)
        const frauds = (of: readonly Hit[]): number => of.filter(({ label }) => label).length
        return {
          name,
          hits: own.length,
          frauds: frauds(own),
          hitsAlone: alone.length,
          fraudsAlone: frauds(alone),
        }
      })
    },
  }
}
