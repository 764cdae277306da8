import type { Payment } from './fraud-events.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A window at time t holds the payments in (⌊(t − size) / hop⌋ · hop, t] that came before. */
const WINDOWS = [
  { label: '1min', sizeMs: MINUTE_MS, hopMs: 1_000 },
  { label: '1h', sizeMs: HOUR_MS, hopMs: MINUTE_MS },
  { label: '24h', sizeMs: DAY_MS, hopMs: 20 * MINUTE_MS },
  { label: '7d', sizeMs: 7 * DAY_MS, hopMs: 2 * HOUR_MS },
  { label: '30d', sizeMs: 30 * DAY_MS, hopMs: 12 * HOUR_MS },
] as const

/** A customer that was silent for longer may have been forgotten, so what the last payment was is not compared then. */
const SURELY_KNOWN_MS = 30 * DAY_MS

/**
 * A customer's features at time `tMs`, by adding up everything that came before: counts, sums, the ratio of declined
 * payments, distinct devices, and the time since the last payment. NaN where there is none.
 */
export function recomputeCustomer(before: readonly Payment[], tMs: number): ReadonlyMap<string, number> {
  const features = new Map<string, number>()
  for (const { label, sizeMs, hopMs } of WINDOWS) {
    const edgeMs = Math.floor((tMs - sizeMs) / hopMs) * hopMs
    const inside = before.filter(({ eventTime }) => eventTime > edgeMs && eventTime <= tMs)
    features.set(`customerId.count.${label}`, inside.length)
    features.set(
      `customerId.sum.amount.${label}`,
      inside.reduce((sum, { amount }) => sum + amount, 0),
    )
    if (label === '1h')
      features.set('customerId.ratio.declined.1h', inside.filter(({ declined }) => declined).length / inside.length)
    if (label === '24h' || label === '7d') {
      const devices = new Set(inside.flatMap(({ deviceId }) => (deviceId === null ? [] : [deviceId])))
      features.set(`customerId.distinct.deviceId.${label}`, devices.size)
    }
  }
  const earlier = before.filter(({ eventTime }) => eventTime <= tMs).map(({ eventTime }) => eventTime)
  const lastMs = Math.max(...earlier)
  if (tMs - lastMs < SURELY_KNOWN_MS || before.length === 0)
    features.set('customerId.sinceLast', earlier.length === 0 ? Number.NaN : (tMs - lastMs) / 1_000)
  return features
}

/** Counts are exact, sums may differ in the last digits. */
export function sameFeature(actual: number | undefined, expected: number): boolean {
  if (actual === undefined) return false
  if (Number.isNaN(expected)) return Number.isNaN(actual)
  return Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected))
}
