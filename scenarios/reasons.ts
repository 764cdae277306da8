import type { Scored } from '../processors/score-step.ts'
import type { Reason } from '../schemas/generated/fraud/score.ts'

/** The features that moved the score most, in plain words. */
export function reasonsOf(names: readonly string[], { features, reasons }: Scored): Reason[] {
  return reasons.map(({ feature: i, contribution }) => {
    const feature = names[i]!
    const value = features[i]!
    const shown = Number.isNaN(value) ? null : String(Math.round(value * 100) / 100)
    const [en, zh] = contribution >= 0 ? ['raises', '提高'] : ['lowers', '降低']
    return {
      feature,
      value,
      contribution,
      textEn: `${feature} = ${shown ?? 'unknown'} ${en} the risk`,
      textZh: `${feature} = ${shown ?? '未知'}，${zh}风险`,
    }
  })
}
