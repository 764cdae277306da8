import { describe, expect, it } from 'vitest'
import { float32, int64 } from '../../gpu/onnx-runtime.ts'
import {
  abs,
  add,
  broadcastLike,
  div,
  exp,
  gelu,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  square,
  stopGradient,
  sub,
  tanh,
  where,
} from '../../gpu/train/elementwise.ts'
import { differentiate } from '../../gpu/train/gradient.ts'
import { createGraph, type Graph, type Value } from '../../gpu/train/graph.ts'
import { layerNorm } from '../../gpu/train/layer-norm.ts'
import { gemm, matMul, rowDot, transpose } from '../../gpu/train/linear.ts'
import {
  binaryClassWeights,
  classWeights,
  ewcPenalty,
  l2Penalty,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  squaredError,
  weightedMean,
} from '../../gpu/train/losses.ts'
import { logSoftmax, reduceLogSumExp, reduceMean, reduceSum, softmax } from '../../gpu/train/reductions.ts'
import { concat, gatherRows, reshape, slice } from '../../gpu/train/shaping.ts'
import { type Checked, gradientError, numbers } from './finite-difference.ts'

const CLOSE = 4e-3

/** Away from 0, where |x|, relu, max and division have their kinks. */
function awayFromZero(count: number, seed: number): number[] {
  return numbers(count, seed).map((value) => value + Math.sign(value) * 0.2)
}

const batch = 3
const matrix: Checked = { shape: ['batch', 4], dims: [batch, 4], data: awayFromZero(12, 1) }
const other: Checked = { shape: ['batch', 4], dims: [batch, 4], data: awayFromZero(12, 2) }
const row: Checked = { shape: [4], data: awayFromZero(4, 3) }
const column: Checked = { shape: ['batch', 1], dims: [batch, 1], data: awayFromZero(3, 4) }
const positive: Checked = { ...matrix, data: matrix.data.map((value) => Math.abs(value) + 0.3) }
const square3x4: Checked = { shape: [4, 5], data: numbers(20, 5) }

type Case = readonly [
  name: string,
  parameters: Record<string, Checked>,
  build: (v: Readonly<Record<string, Value>>, graph: Graph) => Value,
]

const cases: readonly Case[] = [
  ['add, broadcast over the batch', { a: matrix, b: row }, (v) => add(v['a']!, v['b']!)],
  ['add, broadcast over columns', { a: matrix, b: column }, (v) => add(v['a']!, v['b']!)],
  ['sub', { a: row, b: matrix }, (v) => sub(v['a']!, v['b']!)],
  ['mul', { a: matrix, b: column }, (v) => mul(v['a']!, v['b']!)],
  ['a value used twice', { a: matrix }, (v) => mul(v['a']!, add(v['a']!, 1))],
  ['div', { a: matrix, b: other }, (v) => div(v['a']!, add(square(v['b']!), 0.5))],
  ['maximum', { a: matrix }, (v) => maximum(v['a']!, 0.05)],
  ['minimum', { a: matrix }, (v) => minimum(0.05, v['a']!)],
  ['neg', { a: matrix }, (v) => neg(v['a']!)],
  ['exp', { a: matrix }, (v) => exp(v['a']!)],
  ['log', { a: positive }, (v) => log(v['a']!)],
  ['sqrt', { a: positive }, (v) => sqrt(v['a']!)],
  ['abs', { a: matrix }, (v) => abs(v['a']!)],
  ['relu', { a: matrix }, (v) => relu(v['a']!)],
  ['sigmoid', { a: matrix }, (v) => sigmoid(v['a']!)],
  ['tanh', { a: matrix }, (v) => tanh(v['a']!)],
  ['silu', { a: matrix }, (v) => silu(v['a']!)],
  ['gelu', { a: matrix }, (v) => gelu(v['a']!)],
  ['where', { a: matrix, b: other }, (v) => where(greater(v['a']!, 0), mul(v['a']!, 2), v['b']!)],
  ['broadcastLike', { a: row, b: matrix }, (v) => mul(broadcastLike(v['a']!, v['b']!), v['b']!)],
  ['matMul', { a: matrix, b: square3x4 }, (v) => matMul(v['a']!, v['b']!)],
  [
    'gemm with bias',
    { a: matrix, b: square3x4, c: { shape: [5], data: numbers(5, 6) } },
    (v) => gemm(v['a']!, v['b']!, { bias: v['c']! }),
  ],
  [
    'gemm, both transposed',
    { a: { shape: [4, 3], data: numbers(12, 8) }, b: { shape: [5, 4], data: numbers(20, 9) } },
    (v) => gemm(v['a']!, v['b']!, { transposeA: true, transposeB: true }),
  ],
  [
    'gemm, left transposed',
    { a: { shape: [4, 3], data: numbers(12, 8) }, b: square3x4 },
    (v) => gemm(v['a']!, v['b']!, { transposeA: true }),
  ],
  [
    'gemm, right transposed',
    { a: matrix, b: { shape: [5, 4], data: numbers(20, 9) } },
    (v) => gemm(v['a']!, v['b']!, { transposeB: true }),
  ],
  ['transpose', { a: square3x4 }, (v) => transpose(v['a']!)],
  ['rowDot', { a: matrix, b: other }, (v) => rowDot(v['a']!, v['b']!)],
  ['reduceSum of all', { a: matrix }, (v) => square(reduceSum(v['a']!))],
  ['reduceSum over the batch', { a: matrix }, (v) => square(reduceSum(v['a']!, [0]))],
  ['reduceMean', { a: matrix }, (v) => square(reduceMean(v['a']!, [-1]))],
  ['reduceLogSumExp', { a: matrix }, (v) => reduceLogSumExp(v['a']!)],
  ['softmax', { a: matrix }, (v) => softmax(v['a']!)],
  ['logSoftmax', { a: matrix }, (v) => logSoftmax(v['a']!)],
  ['concat', { a: matrix, b: column }, (v) => square(concat([v['a']!, v['b']!]))],
  ['slice', { a: matrix }, (v) => square(slice(v['a']!, 1, 3))],
  ['reshape', { a: matrix }, (v) => square(reshape(v['a']!, ['batch', 2, 2]))],
  ['layerNorm', { x: matrix, scale: row, bias: row }, (v) => layerNorm(v['x']!, v['scale']!, v['bias']!)],
  ['l2Penalty', { a: row, b: square3x4 }, (v) => l2Penalty([v['a']!, v['b']!], 0.3)],
  [
    'ewcPenalty',
    {
      a: row,
      centre: { shape: [4], data: numbers(4, 11) },
      fisher: { shape: [4], data: [0.5, 1, 2, 0.1] },
      lambda: { shape: [], data: [3] },
    },
    (v) => ewcPenalty([{ parameter: v['a']!, centre: v['centre']!, fisher: v['fisher']! }], v['lambda']!),
  ],
  ['squaredError', { a: matrix, b: other }, (v) => squaredError(v['a']!, v['b']!)],
]

describe('gradients agree with central differences', () => {
  for (const [name, parameters, build] of cases) {
    it(name, async () => {
      expect(await gradientError(parameters, build)).toBeLessThan(CLOSE)
    })
  }

  it('gatherRows, adding up repeated rows', async () => {
    const table: Checked = { shape: [6, 2], data: numbers(12, 12) }
    const indices = int64([3, 2, 1], [0, 3, 3, 3, 5, 0])
    const error = await gradientError({ table }, (v) => square(gatherRows(v['table']!, v['indices']!)), {
      indices: { ...indices, shape: ['batch', 2, 1] },
    })
    expect(error).toBeLessThan(CLOSE)
  })

  const oneHot = { ...float32([3, 4], [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]), shape: ['batch', 4] }
  const binary = { ...float32([3, 1], [1, 0, 1]), shape: ['batch', 1] }
  const sampleWeights = { ...float32([3, 1], [1, 0.5, 3]), shape: ['batch', 1] }

  it('softmaxCrossEntropy with sample and class weights', async () => {
    const error = await gradientError(
      { logits: matrix },
      (v) => {
        const weights = mul(v['weights']!, classWeights(v['targets']!, [1, 2, 0.5, 4]))
        return weightedMean(softmaxCrossEntropy(v['logits']!, v['targets']!), weights)
      },
      { targets: oneHot, weights: sampleWeights },
    )
    expect(error).toBeLessThan(CLOSE)
  })

  it('sigmoidCrossEntropy with sample and class weights, far from 0 as well', async () => {
    const logits: Checked = { ...column, data: [4, -0.4, -7] }
    const error = await gradientError(
      { logits },
      (v) => {
        const weights = mul(v['weights']!, binaryClassWeights(v['targets']!, 1, 5))
        return weightedMean(sigmoidCrossEntropy(v['logits']!, v['targets']!), weights)
      },
      { targets: binary, weights: sampleWeights },
    )
    expect(error).toBeLessThan(CLOSE)
  })

  it('of a gradient: differentiating twice', async () => {
    const error = await gradientError({ a: row }, (v) => {
      const [first] = differentiate(reduceSum(mul(square(v['a']!), tanh(v['a']!))), [v['a']!])
      return first!
    })
    expect(error).toBeLessThan(CLOSE)
  })
})

describe('differentiate', () => {
  it('stops where it is told to', async () => {
    const graph = createGraph()
    const a = graph.input('a', 'float32', [2])
    expect(() => differentiate(reduceSum(stopGradient(a)), [a])).toThrow('does not depend on a')
  })

  it('refuses more than one number, and shapes that do not fit', () => {
    const graph = createGraph()
    const a = graph.input('a', 'float32', [2, 3])
    expect(() => differentiate(a, [a])).toThrow('Only a single number')
    expect(() => add(a, graph.input('b', 'float32', [4]))).toThrow('do not broadcast')
    expect(() => matMul(a, a)).toThrow('not a matrix product')
    expect(() => slice(a, 2, 5)).toThrow('Slice')
  })
})
