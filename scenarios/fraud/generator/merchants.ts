/** What kinds of merchants there are, and what people pay there. Amounts are in euros. */
export interface MerchantCategory {
  readonly name: string
  /** Median payment of a customer with spend level 1. */
  readonly medianAmount: number
  /** Spread of ln(amount). */
  readonly sigma: number
  /** Relative frequency in customers' lives. */
  readonly weight: number
  /** Share of its merchants that sell online only. */
  readonly onlineShare: number
}

export const CATEGORIES: readonly MerchantCategory[] = [
  { name: 'grocery', medianAmount: 27, sigma: 0.7, weight: 26, onlineShare: 0.05 },
  { name: 'restaurant', medianAmount: 22, sigma: 0.6, weight: 15, onlineShare: 0.1 },
  { name: 'transport', medianAmount: 9, sigma: 0.7, weight: 9, onlineShare: 0.35 },
  { name: 'fuel', medianAmount: 46, sigma: 0.35, weight: 7, onlineShare: 0 },
  { name: 'health', medianAmount: 24, sigma: 0.7, weight: 5, onlineShare: 0.15 },
  { name: 'fashion', medianAmount: 52, sigma: 0.65, weight: 8, onlineShare: 0.5 },
  { name: 'household', medianAmount: 45, sigma: 0.8, weight: 6, onlineShare: 0.35 },
  { name: 'electronics', medianAmount: 110, sigma: 0.9, weight: 4, onlineShare: 0.5 },
  { name: 'digital', medianAmount: 11, sigma: 0.6, weight: 7, onlineShare: 1 },
  { name: 'marketplace', medianAmount: 34, sigma: 0.9, weight: 6, onlineShare: 1 },
  { name: 'gift_cards', medianAmount: 45, sigma: 0.6, weight: 1.5, onlineShare: 0.7 },
  { name: 'travel', medianAmount: 190, sigma: 0.9, weight: 2, onlineShare: 0.8 },
  { name: 'charity', medianAmount: 15, sigma: 0.7, weight: 1, onlineShare: 0.7 },
  { name: 'cash', medianAmount: 80, sigma: 0.5, weight: 3, onlineShare: 0 },
]

export function categoryIndex(name: string): number {
  const index = CATEGORIES.findIndex((category) => category.name === name)
  if (index < 0) throw new Error(`no merchant category ${name}`)
  return index
}
