import { assertFinite, assertLength, type FtrlConstants, type FtrlKernel, weightOf } from './ftrl-kernel.ts'
import { sigmoid } from './sigmoid.ts'
import { sparseDot } from './sparse-dot.ts'

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
    return sparseDot(table, 4, 2, mask, indices, values, length)
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
      const now = epoch
      for (let i = 0; i < length; i++) {
        const gradient = values === null ? error : fround(error * values[i]!)
        const at = (indices[i]! & mask) * 4
        const n = fround(table[at + 1]! * retainSquared)
        const square = fround(gradient * gradient)
        const nextN = fround(n + square)
        const root = fround(sqrt(nextN))
        // √n' - √n as g² / (√n' + √n): the difference itself would cancel in float32
        const roots = fround(root + fround(sqrt(n)))
        const sigma = roots > 0 ? fround(fround(square / roots) * inverseAlpha) : 0
        const z = fround(fround(fround(table[at]! * retain) + gradient) - fround(sigma * table[at + 2]!))
        table[at] = z
        table[at + 1] = nextN
        table[at + 2] = weightOf(z, root, constants)
        if (marks[at + 3] !== now) {
          marks[at + 3] = now
          changed[count++] = at >>> 2
        }
      }
      return x
    },
  }
}
