import { RheoError } from '../schemas/errors.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * Milliseconds of a duration as people write it: a number and a unit, with or without a space (`'1 min'`, `'15m'`,
 * `'24 h'`, `'7d'`, `'1.5 h'`). Units: ms, s, sec, m, min, h, d, w. Throws CONFIG_INVALID for anything else, and for
 * durations that are not a whole number of milliseconds.
 */
export function parseDurationMs(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/.exec(text)
  const unitMs = match === null ? undefined : UNIT_MS[match[2]!]
  const durationMs = unitMs === undefined ? Number.NaN : Number(match![1]) * unitMs
  if (!Number.isSafeInteger(durationMs)) {
    throw new RheoError('CONFIG_INVALID', `'${text}' is not a duration`, {
      hint: `Write a number and one of ${Object.keys(UNIT_MS).join(', ')}, for example '15 min' or '7d'.`,
    })
  }
  return durationMs
}
