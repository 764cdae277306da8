import type { Reason } from '../../schemas/generated/fraud/score.ts'

const REASONS = 4

/** The features that moved the score most, the strongest first, in plain words. */
export function reasonsOf(names: readonly string[], features: Float64Array, contributions: Float64Array): Reason[] {
  const strongest: number[] = []
  for (let i = 0; i < contributions.length; i++) {
    const weight = Math.abs(contributions[i]!)
    if (strongest.length === REASONS && weight <= Math.abs(contributions[strongest[REASONS - 1]!]!)) continue
    let place = strongest.length
    while (place > 0 && weight > Math.abs(contributions[strongest[place - 1]!]!)) place--
    strongest.splice(place, 0, i)
    if (strongest.length > REASONS) strongest.pop()
  }
  return strongest.map((i) => {
    const feature = names[i]!
    const value = features[i]!
    const contribution = contributions[i]!
    const shown = Number.isNaN(value) ? 'unknown' : String(Math.round(value * 100) / 100)
    const [en, zh] = contribution >= 0 ? ['raises', '提高'] : ['lowers', '降低']
    return {
      feature,
      value,
      contribution,
      textEn: `${feature} = ${shown} ${en} the risk`,
      textZh: `${feature} = ${shown === 'unknown' ? '未知' : shown}，${zh}风险`,
    }
  })
}
