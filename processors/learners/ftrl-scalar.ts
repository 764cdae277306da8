import { assertFinite, assertLength, type FtrlConstants, type FtrlKernel, weightOf } from './ftrl-kernel.ts'
import { sigmoid } from './sigmoid.ts'

const { fround, sqrt } = Math

/** The reference implementation of the kernel in plain TypeScript. */
export function createScalarKernel(constants: FtrlConstants): FtrlKernel {
  const slots = 2 ** constants.bits
  const mask = slots - 1
  const table = new Float32Array(slots * 4)
  const marks = new Uint32Array(table.buffer)
  const changed = new Uint32Array(slots)
  const { inverseAlpha, retain, retainSquared } = constants
  let count = 0
  let epoch = 1

  const logit = (indices: Uint32Array, values: Float32Array | null, length: number): number => {
    assertLength(length)
    let s0 = 0
    let s1 = 0
    let s2 = 0
    let s3 = 0
    for (let i = 0; i < length; i++) {
      const w = table[(indices[i]! & mask) * 4 + 2]!
      const term = values === null ? w : fround(w * values[i]!)
      const lane = i & 3
      if (lane === 0) s0 = fround(s0 + term)
      else if (lane === 1) s1 = fround(s1 + term)
      else if (lane === 2) s2 = fround(s2 + term)
      else s3 = fround(s3 + term)
    }
    return fround(fround(s0 + s1) + fround(s2 + s3))
  }

  const update = (index: number, gradient: number): void => {
    const at = index * 4
    const z = fround(table[at]! * retain)
    const n = fround(table[at + 1]! * retainSquared)
    const w = table[at + 2]!
    const square = fround(gradient * gradient)
    const nextN = fround(n + square)
    // √n' - √n as g² / (√n' + √n): the difference itself would cancel in float32
    const roots = fround(fround(sqrt(nextN)) + fround(sqrt(n)))
    const sigma = roots > 0 ? fround(fround(square / roots) * inverseAlpha) : 0
    const nextZ = fround(fround(z + gradient) - fround(sigma * w))
    table[at] = nextZ
    table[at + 1] = nextN
    table[at + 2] = weightOf(nextZ, nextN, constants)
    if (marks[at + 3] !== epoch) {
      marks[at + 3] = epoch
      changed[count++] = index
    }
  }

  return {
    name: 'scalar',
    table,
    marks,
    changed,
    changedCount: () => count,
    nextEpoch() {
      count = 0
      epoch++
    },
    logit,
    learn(indices, values, length, label, weight) {
      const x = logit(indices, values, length)
      assertFinite(x)
      const error = fround((sigmoid(x) - label) * weight)
      for (let i = 0; i < length; i++) {
        update(indices[i]! & mask, values === null ? error : fround(error * values[i]!))
      }
      return x
    },
  }
}
