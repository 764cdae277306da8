const { fround } = Math

/**
 * Σ w·x over a sparse example, in float32 and in one fixed order: four running sums over the positions modulo four,
 * then (s0 + s1) + (s2 + s3). So four lanes at a time give the same bits as one after the other.
 *
 * The weight of index i stands at `weights[(i & mask) * stride + offset]`; `values` null means all 1.
 */
export function sparseDot(
  weights: Float32Array,
  stride: number,
  offset: number,
  mask: number,
  indices: Uint32Array,
  values: Float32Array | null,
  length: number,
): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  for (let i = 0; i < length; i++) {
    const weight = weights[(indices[i]! & mask) * stride + offset]!
    const term = values === null ? weight : fround(weight * values[i]!)
    const first = fround(s0 + term)
    s0 = s1
    s1 = s2
    s2 = s3
    s3 = first
  }
  // the sums have rotated by `length` places: s(k) now holds the lane (k + length) mod 4
  return (length & 1) === 0 ? fround(fround(s0 + s1) + fround(s2 + s3)) : fround(fround(s1 + s2) + fround(s3 + s0))
}
