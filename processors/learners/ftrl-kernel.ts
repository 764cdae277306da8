/**
 * The inner loop of FTRL-Proximal, in float32. Two implementations, bit for bit equal: `ftrl-scalar.ts` (the reference)
 * and `ftrl-simd.ts` (WebAssembly, four slots at a time).
 *
 * Memory: float32 [slots, 4], one slot = [z, n, w, mark]. z and n are those of the paper; w is the weight they imply,
 * kept beside them; mark (uint32) is the epoch in which the slot last changed, so that a slot enters `changed` once per
 * epoch.
 */
export interface FtrlKernel {
  readonly name: 'scalar' | 'simd'
  /** float32 [slots, 4] */
  readonly table: Float32Array
  /** The same memory: uint32 [slots, 4], for the marks. */
  readonly marks: Uint32Array
  /** Slots changed in this epoch, unordered, each once: uint32 [slots], `changedCount()` of them valid. */
  readonly changed: Uint32Array
  changedCount(): number
  /** Empties `changed`. */
  nextEpoch(): void
  /** Σ w·x in the order of `sparseDot`. */
  logit(indices: Uint32Array, values: Float32Array | null, length: number): number
  /** `logit`, then one update of every slot in the order of `indices`. Returns the logit. */
  learn(indices: Uint32Array, values: Float32Array | null, length: number, label: 0 | 1, weight: number): number
}

/** The update's constants, rounded to float32 once. */
export interface FtrlConstants {
  readonly bits: number
  readonly inverseAlpha: number
  readonly beta: number
  readonly lambda1: number
  readonly lambda2: number
  /** Factor on z at each observation of a slot, and on √n. 1: nothing is forgotten. */
  readonly retain: number
  readonly retainSquared: number
}

/** Longest example. */
export const MAX_FEATURES = 4096

/** The weight that z and √n imply. All arguments and the result are float32. */
export function weightOf(z: number, rootN: number, constants: FtrlConstants): number {
  const excess = Math.fround(Math.abs(z) - constants.lambda1)
  if (!(excess > 0)) return 0
  const caution = Math.fround(Math.fround(constants.beta + rootN) * constants.inverseAlpha)
  const size = Math.fround(excess / Math.fround(caution + constants.lambda2))
  return z > 0 ? -size : size
}

/** A gradient from a logit that is not finite would poison the weights for good: a programmer's mistake, so it throws. */
export function assertFinite(logit: number): void {
  if (!Number.isFinite(logit)) throw new RangeError(`logit is ${logit}: an example holds a value that is not finite`)
}

export function assertLength(length: number): void {
  if (length > MAX_FEATURES) throw new RangeError(`an example has ${length} features; at most ${MAX_FEATURES} fit`)
}
