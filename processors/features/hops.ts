import { RheoError } from '../../schemas/errors.ts'

const SECOND = 1_000
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
/** Hops that divide the clock and nest well, ascending. */
const NICE_HOPS_MS = [
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * HOUR),
  ...[1, 2, 4, 7].map((n) => n * DAY),
]
/** A hop is at most this fraction of its window. */
const HOPS_PER_WINDOW = 60

/** A sliding window of event time: at time t it holds the events in (⌊(t − sizeMs) / hopMs⌋ · hopMs, t]. */
export interface SlidingWindow {
  readonly sizeMs: number
  readonly hopMs: number
}

/**
 * One hop per window size such that hop ≤ size / 60 and every hop is a multiple of the next smaller one, so that the
 * edges of large windows are edges of the small ones too. Sizes in any order, at least one minute; the answer ascends.
 * 1 min, 1 h, 24 h, 7 d, 30 d give 1 s, 1 min, 20 min, 2 h, 12 h. Throws CONFIG_INVALID for smaller sizes.
 */
export function nestedWindows(sizesMs: Iterable<number>): readonly SlidingWindow[] {
  const windows: SlidingWindow[] = []
  let innerHopMs = 1
  for (const sizeMs of [...new Set(sizesMs)].sort((a, b) => a - b)) {
    const hopMs = NICE_HOPS_MS.findLast((hop) => hop * HOPS_PER_WINDOW <= sizeMs && hop % innerHopMs === 0)
    if (hopMs === undefined) {
      throw new RheoError('CONFIG_INVALID', `a window of ${sizeMs} ms is shorter than one minute`, {
        hint: 'Use windows of at least 1 min; for shorter memory take sinceLast() or halfLife().',
      })
    }
    windows.push({ sizeMs, hopMs })
    innerHopMs = hopMs
  }
  return windows
}

/** The lower edge, exclusive, of a window's events for a record at time tMs. */
export function windowEdgeMs(window: SlidingWindow, tMs: number): number {
  return Math.floor((tMs - window.sizeMs) / window.hopMs) * window.hopMs
}
