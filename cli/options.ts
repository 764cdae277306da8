import { InvalidArgumentError } from 'commander'
import { parseDurationMs } from '../processors/duration.ts'
import { RheoError } from '../schemas/errors.ts'

/** A whole number ≥ 1, for commander. */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It should be a whole number from 1 on.')
  return value
}

/** A number > 0, for commander. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('It should be a number above 0.')
  return value
}

/** A duration (`15m`, `7d`) in milliseconds, for commander. */
export function durationMs(text: string): number {
  try {
    return parseDurationMs(text)
  } catch (error) {
    if (error instanceof RheoError) throw new InvalidArgumentError(`${error.message}. ${error.hint ?? ''}`)
    throw error
  }
}

/** A moment as ISO 8601 (a date is its midnight in UTC) or milliseconds since 1970, for commander. */
export function momentMs(text: string): number {
  const value = /^-?\d{6,}$/.test(text) ? Number(text) : isoMoment(text)
  if (!Number.isFinite(value))
    throw new InvalidArgumentError('It should be a time such as 2026-08-08 or 2026-08-08T12:00:00Z.')
  return value
}

/** Without a zone, UTC is meant: a command gives the same on every machine. */
function isoMoment(text: string): number {
  if (!/^\d{4}-\d\d-\d\d(T|$)/.test(text)) return Number.NaN
  return Date.parse(/T/.test(text) && !/(Z|[+-]\d\d:?\d\d)$/.test(text) ? `${text}Z` : text)
}

/** Takes an option that may be given several times, for commander. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
