import { greater, minimum } from './elementwise.ts'
import { staticDim, type Value } from './graph.ts'

/** Above 2^53 a float64 code is no longer a whole number of its own. */
const LARGEST_CODE = 2 ** 53

/** How many rows a table has for `fields` categories of `buckets` each: one more per field, for missing codes. */
export function hashedTableRows(fields: number, buckets: number): number {
  return fields * (buckets + 1)
}

/**
 * Which rows of one embedding table belong to category codes: int64 [batch, fields, 1] from float32 [batch, fields], for
 * `gatherRows`. Each field has its own `buckets` rows, addressed by code mod `buckets`, and one more for what is missing (negative
 * or NaN); whatever comes in, the row exists. `buckets` should be a prime: a 53-bit hash that went through float32 is a multiple of a
 * power of two. Whole numbers throughout, so that every device finds the same row. No gradient.
 */
export function hashedRows(codes: Value, buckets: number): Value {
  const { graph } = codes
  const fields = staticDim(codes, -1)
  const firstRows = Array.from({ length: fields }, (_, field) => field * (buckets + 1))
  const whole = { type: 'int64', shape: codes.shape, gradient: null } as const
  const integers = graph.node('Cast', [minimum(codes, LARGEST_CODE)], {
    ...whole,
    attributes: { to: { kind: 'int', value: 7 } },
  })
  const count = graph.constant('int64', [], [buckets])
  const present = greater(codes, -0.5)
  const bucket = graph.node('Where', [present, graph.node('Mod', [integers, count], whole), count], whole)
  const rows = graph.node('Add', [bucket, graph.constant('int64', [fields], firstRows)], whole)
  return graph.node('Unsqueeze', [rows, graph.constant('int64', [1], [2])], { ...whole, shape: [...codes.shape, 1] })
}
