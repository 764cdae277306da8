import { type EvaluatedOutcome, isFlagged } from './report/outcome-table.ts'

/** What one arm's threshold was worth on the outcomes that came last; rules are no part of it. */
export interface ArmRates {
  readonly name: string
  /** Share of the frauds that it flagged; null without frauds. */
  readonly recall: number | null
  /** Share of the other payments that it flagged; null without any. */
  readonly falsePositiveRate: number | null
}

export interface RecentOutcomes {
  add(outcome: EvaluatedOutcome): void
  measure(): { readonly outcomes: number; readonly frauds: number; readonly arms: readonly ArmRates[] }
}

interface Row {
  readonly fraud: boolean
  readonly flagged: readonly boolean[]
}

/**
 * The last `size` outcomes, and what the decisions of the arms, champion first, were worth on them at the thresholds of
 * their time. 20,000 outcomes hold about 250 frauds, so a recall is known to about 3 points.
 */
export function createRecentOutcomes(armNames: readonly string[], size = 20_000): RecentOutcomes {
  const rows: Row[] = []
  let next = 0
  return {
    add({ label, arms }) {
      const flagged = armNames.map((name) => {
        const arm = arms[name]
        return arm !== undefined && isFlagged(arm)
      })
      rows[next] = { fraud: label, flagged }
      next = (next + 1) % size
    },
    measure() {
      const frauds = rows.filter(({ fraud }) => fraud).length
      const others = rows.length - frauds
      const arms = armNames.map((name, i) => {
        let caught = 0
        let falseAlarms = 0
        for (const { fraud, flagged } of rows) {
          if (!flagged[i]) continue
          if (fraud) caught++
          else falseAlarms++
        }
        return {
          name,
          recall: frauds === 0 ? null : caught / frauds,
          falsePositiveRate: others === 0 ? null : falseAlarms / others,
        }
      })
      return { outcomes: rows.length, frauds, arms }
    },
  }
}
