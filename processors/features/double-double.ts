/**
 * Sums kept as an unevaluated pair high + low (106 bits), so that the difference of two running totals is as exact as
 * if the window had been added up alone. Error-free transformations: Dekker 1971, Knuth TAOCP 2, 4.2.2.
 * A pair lives in two neighbouring cells of a Float64Array.
 */

const SPLITTER = 134_217_729 // 2^27 + 1

/** cells[at], cells[at + 1] += x */
export function addToPair(cells: Float64Array, at: number, x: number): void {
  const high = cells[at]!
  const sum = high + x
  const part = sum - high
  const low = cells[at + 1]! + (high - (sum - part) + (x - part))
  const result = sum + low
  cells[at] = result
  cells[at + 1] = low - (result - sum)
}

/** cells[at], cells[at + 1] += x² */
export function addSquareToPair(cells: Float64Array, at: number, x: number): void {
  const square = x * x
  const scaled = SPLITTER * x
  const top = scaled - (scaled - x)
  const rest = x - top
  addToPair(cells, at, square)
  addToPair(cells, at, rest * rest - (square - top * top - 2 * top * rest))
}

/** The pair at `from` minus the pair at `base`, rounded once. */
export function pairDifference(cells: Float64Array, from: number, base: number): number {
  const a = cells[from]!
  const b = cells[base]!
  const difference = a - b
  const part = difference - a
  return difference + (a - (difference - part) - (b + part) + (cells[from + 1]! - cells[base + 1]!))
}

const work = new Float64Array(4)

/**
 * Σ(x − mean)² over a window, from the running totals of x (`sum`) and x² (`squares`), each a pair of cells, at the
 * window's two ends. Exact to about 1e-16 · Σx² · 1e-15, never negative.
 */
export function squaredDeviations(
  cells: Float64Array,
  sumFrom: number,
  sumBase: number,
  squaresFrom: number,
  squaresBase: number,
  count: number,
): number {
  // Σx² − m (2 Σx − n m) holds for every m near the mean, so m need not be exact: only the products must be.
  const mean = pairDifference(cells, sumFrom, sumBase) / count
  work[0] = 0
  work[1] = 0
  addProduct(-count, mean, 0)
  addToPair(work, 0, 2 * cells[sumFrom]!)
  addToPair(work, 0, 2 * cells[sumFrom + 1]!)
  addToPair(work, 0, -2 * cells[sumBase]!)
  addToPair(work, 0, -2 * cells[sumBase + 1]!)
  work[2] = cells[squaresFrom]!
  work[3] = cells[squaresFrom + 1]!
  addToPair(work, 2, -cells[squaresBase]!)
  addToPair(work, 2, -cells[squaresBase + 1]!)
  addProduct(-mean, work[0]!, 2)
  addProduct(-mean, work[1]!, 2)
  return Math.max(0, work[2]! + work[3]!)
}

/** work[at], work[at + 1] += a · b, the product's rounding error included. */
function addProduct(a: number, b: number, at: number): void {
  const product = a * b
  const scaledA = SPLITTER * a
  const topA = scaledA - (scaledA - a)
  const restA = a - topA
  const scaledB = SPLITTER * b
  const topB = scaledB - (scaledB - b)
  const restB = b - topB
  addToPair(work, at, product)
  addToPair(work, at, restA * restB - (product - topA * topB - restA * topB - topA * restB))
}
