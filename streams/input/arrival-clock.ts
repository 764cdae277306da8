/** Rows looked ahead at: one absurd time among seventeen rows does not move the clock. */
export const lookAheadRows = 16

/**
 * When each row of a file arrives, in a file whose order is the order of arrival and whose times are event times. The
 * clock at a row is the least time of this row and the next 16, and never goes back: rows out of order arrive in the
 * file's order, and a single time in the far future neither moves the clock nor makes the rows after it late.
 *
 * @param clockMs what the clock showed before
 * @param timeAt event time of the row `ahead` rows from here; NaN for a row without one, or behind the file's end
 */
export function arrivalMs(clockMs: number, timeAt: (ahead: number) => number): number {
  let least = Number.POSITIVE_INFINITY
  for (let ahead = 0; ahead <= lookAheadRows; ahead++) {
    const time = timeAt(ahead)
    if (time < least) least = time
  }
  return least === Number.POSITIVE_INFINITY ? clockMs : Math.max(clockMs, least)
}
