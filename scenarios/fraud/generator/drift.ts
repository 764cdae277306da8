import { ATTACKS, type AttackName, DAY_MS, type GeneratorOptions } from './generated-payment.ts'

/** What the world is like at one moment of the stream. All of it is behaviour: no id is renamed, no label changed. */
export interface Climate {
  /** Share of each attack type among the frauds, in the order of ATTACKS; sums to at most about 1. */
  readonly shares: readonly number[]
  /** Factor on all honest and fraudulent prices. */
  readonly prices: number
  /** 0..1: how far fraudsters have moved from counters and electronics to gift cards, marketplaces and apps. */
  readonly migration: number
  /** 0..1: how carefully stolen cards are used (smaller amounts, fewer and slower payments). */
  readonly caution: number
  /** 0..1: how far honest customers are on their way to apps and telephone wallets. */
  readonly adoption: number
  /** Factor on honest travel and online shopping: the holiday season. */
  readonly season: number
}

/** When an attack type is active in the drift world, as shares of the stream: it fades in and out linearly. */
interface Wave {
  readonly from: number
  readonly full: number
  readonly fades: number
  readonly until: number
  readonly share: number
}

const WAVES: Readonly<Record<AttackName, readonly Wave[]>> = {
  'stolen-card': [
    { from: 0, full: 0, fades: 0.38, until: 0.55, share: 0.6 },
    { from: 0.7, full: 0.8, fades: 1, until: 1, share: 0.15 },
  ],
  'terminal-compromise': [{ from: 0, full: 0, fades: 0.4, until: 0.65, share: 0.4 }],
  'card-testing': [{ from: 0.3, full: 0.4, fades: 0.7, until: 0.85, share: 0.32 }],
  'device-farm': [{ from: 0.36, full: 0.46, fades: 1, until: 1, share: 0.4 }],
  'account-takeover': [{ from: 0.42, full: 0.55, fades: 1, until: 1, share: 0.35 }],
}

const CALM: Climate = {
  shares: ATTACKS.map(() => 0.2),
  prices: 1,
  migration: 0.3,
  caution: 0.3,
  adoption: 0.3,
  season: 1,
}

/** The climate on a day of the stream. */
export function climateOn(day: number, options: GeneratorOptions): Climate {
  if (options.world === 'stationary') return CALM
  const at = day / options.days
  return {
    shares: ATTACKS.map((attack) => WAVES[attack].reduce((sum, wave) => sum + wave.share * level(wave, at), 0)),
    prices: 1 + 0.35 * ramp(at, 0.25, 0.9),
    migration: ramp(at, 0.3, 0.6),
    caution: ramp(at, 0.28, 0.55),
    adoption: ramp(at, 0.3, 0.9),
    season: 1 + 0.6 * ramp(at, 0.4, 0.55) - 0.4 * ramp(at, 0.7, 0.85),
  }
}

/** An attack type's time of activity, event time in ms, half-open: what the report draws under its curves. */
export interface AttackSpan {
  readonly attack: AttackName
  readonly fromMs: number
  readonly untilMs: number
}

export function attackSpans(options: GeneratorOptions): AttackSpan[] {
  const at = (share: number): number => options.start + Math.round(share * options.days * DAY_MS)
  return ATTACKS.flatMap((attack) => {
    if (options.world === 'stationary') return [{ attack, fromMs: at(0), untilMs: at(1) }]
    return WAVES[attack].map((wave) => ({ attack, fromMs: at(wave.from), untilMs: at(wave.until) }))
  })
}

/** A change of the world, with the moment it starts (event time, ms). Empty for the stationary world. */
export interface DriftMark {
  readonly atMs: number
  readonly label: string
}

export function driftMarks(options: GeneratorOptions): DriftMark[] {
  if (options.world === 'stationary') return []
  const at = (share: number): number => options.start + Math.round(share * options.days * DAY_MS)
  return [
    { atMs: at(0.28), label: 'card thieves grow careful' },
    { atMs: at(0.3), label: 'fraud moves to apps and gift cards; card testing starts' },
    { atMs: at(0.36), label: 'device farms start' },
    { atMs: at(0.42), label: 'account take-overs start; holiday season' },
    { atMs: at(0.65), label: 'skimmed terminals stop' },
  ]
}

function level(wave: Wave, at: number): number {
  if (at < wave.from || at >= wave.until) return 0
  if (at < wave.full) return (at - wave.from) / (wave.full - wave.from)
  if (at > wave.fades) return (wave.until - at) / (wave.until - wave.fades)
  return 1
}

function ramp(at: number, from: number, until: number): number {
  if (at <= from) return 0
  return at >= until ? 1 : (at - from) / (until - from)
}
