import type { Payment } from '../../../schemas/generated/fraud/payment.ts'

/** A payment while it is being made. */
export type DraftPayment = { -readonly [field in keyof Payment]: Payment[field] }

export const ATTACKS = [
  'stolen-card',
  'terminal-compromise',
  'card-testing',
  'device-farm',
  'account-takeover',
] as const
export type AttackName = (typeof ATTACKS)[number]

/** A payment with the truth about it, which no score may see before the label arrives. */
export interface GeneratedPayment {
  readonly payment: Payment
  readonly fraud: boolean
  /** null: a legitimate payment. */
  readonly attack: AttackName | null
}

export interface GeneratorOptions {
  /** Any whole number; the same options give the same bytes on every machine. */
  readonly seed: number
  /** About how many payments the whole stream has (± 3 %). */
  readonly payments: number
  /** Length of the stream, whole days. */
  readonly days: number
  /** Event time of the first day's midnight (UTC), ms since 1970. */
  readonly start: number
  /**
   * `drift`: attack types come, change and go, and honest habits change too.
   * `stationary`: the same world, all attack types active at constant rates from the first day, nothing changes.
   */
  readonly world: 'drift' | 'stationary'
  /** Frauds among all payments, about. Default 0.0125. */
  readonly fraudRate?: number
}

export const DAY_MS = 86_400_000
export const HOUR_MS = 3_600_000
export const MINUTE_MS = 60_000
