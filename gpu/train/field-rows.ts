import { abs, add, greater, log, maximum, minimum, mul, sign, sub, where } from './elementwise.ts'
import { staticDim, type Value } from './graph.ts'
import { gatherRows, reshape } from './shaping.ts'

/**
 * Embeddings of whole columns: one table per kind of column, each column (field) with rows of its own and one more for what is
 * missing. Rows are found in whole numbers, and exist whatever comes in. No gradient flows to the columns.
 */

/** What stands for a missing value: no feature is as low. Not NaN, which a GPU's compiler may take to equal itself. */
export const MISSING = -1e30

/** Knots stand where log2(1 + 64·|x|), with x's sign, is a whole number: six of them between 0 and 1, up to 4 million. */
const LOWEST_KNOT = -6
const HIGHEST_KNOT = 28
const KNOTS = HIGHEST_KNOT - LOWEST_KNOT + 1
/** Above 2^53 a float64 code is no longer a whole number of its own. */
const LARGEST_CODE = 2 ** 53

/** Rows of the table for `fields` columns of numbers. The last is never learnt. */
export function knotTableRows(fields: number): number {
  return fields * (KNOTS + 1) + 1
}

/** Rows of the table for `fields` columns of codes. */
export function hashedTableRows(fields: number, buckets: number): number {
  return fields * (buckets + 1)
}

/** Where numbers stand on the scale of the knots: float32 of x's shape, 0 for 0, held between the first and the last knot. */
export function knotPlace(x: Value): Value {
  const place = mul(sign(x), mul(log(add(mul(abs(x), 64), 1)), Math.LOG2E))
  return minimum(maximum(place, LOWEST_KNOT), HIGHEST_KNOT)
}

/**
 * What the table says of numbers: float32 [batch, fields, width] from where they stand (`knotPlace`) and which are known (bool),
 * [batch, fields] both. Between two knots it is a straight line, so that nothing jumps where two providers round differently.
 */
export function knotEmbedding(place: Value, known: Value, table: Value): Value {
  const above = sub(place, LOWEST_KNOT)
  const below = place.graph.node('Floor', [above], { shape: place.shape, gradient: null })
  const beyond = where(known, sub(above, below), 0)
  const knots = wholeNumbers(where(known, below, KNOTS))
  const at = (knot: number) => gatherRows(table, fieldRows(knots, KNOTS + 1, knot))
  const [lower, upper] = [at(0), at(1)]
  return add(lower, mul(reshape(beyond, [...place.shape, 1]), sub(upper, lower)))
}

/**
 * What the table says of category codes: float32 [batch, fields, width] from codes float32 [batch, fields]; negative = missing.
 * A code's row is code mod `buckets`, a prime: a 53-bit hash that went through float32 is a multiple of a power of two.
 */
export function hashedEmbedding(codes: Value, buckets: number, table: Value): Value {
  const { graph } = codes
  const count = graph.constant('int64', [], [buckets])
  const whole = { type: 'int64', shape: codes.shape, gradient: null } as const
  const hashed = graph.node('Mod', [wholeNumbers(minimum(codes, LARGEST_CODE)), count], whole)
  const bucket = graph.node('Where', [greater(codes, -0.5), hashed, count], whole)
  return gatherRows(table, fieldRows(bucket, buckets + 1, 0))
}

/** bool: neither missing nor NaN. */
export function isKnown(x: Value): Value {
  return greater(x, MISSING / 10)
}

function wholeNumbers(x: Value): Value {
  const attributes = { to: { kind: 'int', value: 7 } } as const
  return x.graph.node('Cast', [x], { type: 'int64', shape: x.shape, attributes, gradient: null })
}

/** Field f's row is f·perField + offset + its own: int64 [batch, fields, 1], as `gatherRows` takes it. */
function fieldRows(own: Value, perField: number, offset: number): Value {
  const { graph, shape } = own
  const fields = staticDim(own, -1)
  const first = Array.from({ length: fields }, (_, field) => field * perField + offset)
  const whole = { type: 'int64', gradient: null } as const
  const rows = graph.node('Add', [own, graph.constant('int64', [fields], first)], { ...whole, shape })
  return graph.node('Unsqueeze', [rows, graph.constant('int64', [1], [2])], { ...whole, shape: [...shape, 1] })
}
