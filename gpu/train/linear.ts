import { mul } from './elementwise.ts'
import type { Value } from './graph.ts'
import { reduceTo } from './reductions.ts'

/** Matrix products. `a` float32 [m, k], `b` float32 [k, n]. */

export function matMul(a: Value, b: Value): Value {
  requireMatrix(a)
  requireMatrix(b)
  if (a.shape[1] !== b.shape[0])
    throw new Error(`[${a.shape.join(', ')}] × [${b.shape.join(', ')}] is not a matrix product.`)
  return a.graph.node('MatMul', [a, b], {
    shape: [a.shape[0]!, b.shape[1]!],
    gradient: (dy) => [gemm(dy, b, { transposeB: true }), gemm(a, dy, { transposeA: true })],
  })
}

interface GemmOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** float32, broadcast to [m, n]. */
  readonly bias?: Value
}

/** op(a) · op(b) + bias, in one kernel. */
export function gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
  const { transposeA = false, transposeB = false, bias } = options
  requireMatrix(a)
  requireMatrix(b)
  const [m, k] = transposeA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!]
  const [kOfB, n] = transposeB ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!]
  if (k !== kOfB) throw new Error(`Gemm: inner dimensions ${k} and ${kOfB} differ.`)
  return a.graph.node('Gemm', bias === undefined ? [a, b] : [a, b, bias], {
    shape: [m, n],
    attributes: {
      transA: { kind: 'int', value: transposeA ? 1 : 0 },
      transB: { kind: 'int', value: transposeB ? 1 : 0 },
    },
    gradient: (dy) => {
      const da = transposeA
        ? gemm(b, dy, { transposeA: transposeB, transposeB: true })
        : gemm(dy, b, { transposeB: !transposeB })
      const db = transposeB
        ? gemm(dy, a, { transposeA: true, transposeB: transposeA })
        : gemm(a, dy, { transposeA: !transposeA })
      return bias === undefined ? [da, db] : [da, db, reduceTo(dy, bias.shape)]
    },
  })
}

/** The transpose of a matrix. */
export function transpose(x: Value): Value {
  requireMatrix(x)
  return x.graph.node('Transpose', [x], {
    shape: [x.shape[1]!, x.shape[0]!],
    attributes: { perm: { kind: 'ints', value: [1, 0] } },
    gradient: (dy) => [transpose(dy)],
  })
}

/** Σ over the last axis of a·b: float32 [batch, 1] from two [batch, n]; the crosses of wide & deep models. */
export function rowDot(a: Value, b: Value): Value {
  const product = mul(a, b)
  return reduceTo(product, [...product.shape.slice(0, -1), 1])
}

function requireMatrix(x: Value): void {
  if (x.shape.length !== 2) throw new Error(`${x.name} must be a matrix, not [${x.shape.join(', ')}].`)
}
