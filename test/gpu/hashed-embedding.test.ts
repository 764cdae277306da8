import { describe, expect, it } from 'vitest'
import { float32, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { compile } from '../../gpu/train/compile.ts'
import { featureProducts } from '../../gpu/train/deep-fm.ts'
import { add, square } from '../../gpu/train/elementwise.ts'
import { createGraph } from '../../gpu/train/graph.ts'
import { hashedRows, hashedTableRows } from '../../gpu/train/hashed-embedding.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { gatherRows } from '../../gpu/train/shaping.ts'
import { hash53 } from '../../processors/features/value-hash.ts'
import { type Checked, gradientError, numbers } from './finite-difference.ts'

const BUCKETS = 509
const FIELDS = 2
const ROWS = hashedTableRows(FIELDS, BUCKETS)

/** The row numbers of codes, two fields a row: read out of a table that holds them. */
async function rowsOf(codes: readonly number[]): Promise<number[]> {
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', FIELDS])
  const table = graph.constant(
    'float32',
    [ROWS, 1],
    Array.from({ length: ROWS }, (_, row) => row),
  )
  const rows = add(gatherRows(table, hashedRows(x, BUCKETS)), 0)
  const session = await openSession(encodeOnnx(compile('rows', { rows })), { provider: 'cpu' })
  const out = await runOnce(session, { x: float32([codes.length / FIELDS, FIELDS], codes) })
  await session.release()
  return [...out.get('rows')!.data]
}

describe('rows of a hashed embedding', () => {
  it('are the code modulo the buckets, in the rows of its field, also for hashes that lost their last bits', async () => {
    const names = Array.from({ length: 40 }, (_, i) => Math.fround(hash53(`country ${i}`)))
    const codes = [0, 0, 7, 509, 510, 2 ** 24 - 1, ...names]
    const expected = codes.map((code, i) => Number(BigInt(code) % BigInt(BUCKETS)) + (i % FIELDS) * (BUCKETS + 1))
    expect(await rowsOf(codes)).toEqual(expected)
    expect(new Set(names.map((_, i) => expected[i + 6]! % (BUCKETS + 1))).size).toBeGreaterThan(35)
  })

  it('are one of their own for what is missing', async () => {
    expect(await rowsOf([-1, -1, Number.NaN, Number.NaN])).toEqual([509, 1019, 509, 1019])
  })

  it('exist whatever comes in', async () => {
    const rows = await rowsOf([Number.POSITIVE_INFINITY, 3e38, Number.NEGATIVE_INFINITY, 2.5, -3e38, 1e-40])
    for (const [i, row] of rows.entries()) expect(Math.floor(row / (BUCKETS + 1))).toBe(i % FIELDS)
  })
})

describe('gradients agree with central differences', () => {
  it('through the table, adding up the examples that share a row', async () => {
    const table: Checked = { shape: [hashedTableRows(2, 3), 2], data: numbers(16, 12) }
    const codes = { ...float32([3, 2], [4, 1, 1, -1, 7, 4]), shape: ['batch', 2] }
    const error = await gradientError({ table }, (v) => square(gatherRows(v['table']!, hashedRows(v['codes']!, 3))), {
      codes,
    })
    expect(error).toBeLessThan(4e-3)
  })

  it('of products of numbers and categories, which are those of all pairs', async () => {
    const [rows, width, categories, k] = [2, 3, 2, 4]
    const x = numbers(rows * width, 3)
    const v = numbers(width * k, 4)
    const e = numbers(rows * categories * k, 5)
    const checked = {
      x: { shape: [rows, width], data: x },
      v: { shape: [width, k], data: v },
      e: { shape: [rows, categories, k], data: e },
    }
    expect(
      await gradientError(checked, (values) => featureProducts(values['x']!, values['v']!, values['e']!)),
    ).toBeLessThan(4e-3)

    const graph = createGraph()
    const inputs = Object.entries(checked).map(([name, { shape }]) => graph.input(name, 'float32', shape))
    const sum = featureProducts(inputs[0]!, inputs[1]!, inputs[2]!)
    const session = await openSession(encodeOnnx(compile('products', { sum })), { provider: 'cpu' })
    const feeds = Object.entries(checked).map(([name, { shape, data }]) => [name, float32(shape, data)] as const)
    const out = await runOnce(session, Object.fromEntries(feeds))
    await session.release()
    for (let row = 0; row < rows; row++) {
      const vectors = [
        ...Array.from({ length: width }, (_, i) =>
          v.slice(i * k, i * k + k).map((value) => value * x[row * width + i]!),
        ),
        ...Array.from({ length: categories }, (_, c) =>
          e.slice((row * categories + c) * k, (row * categories + c + 1) * k),
        ),
      ]
      let expected = 0
      for (let i = 0; i < vectors.length; i++)
        for (let j = i + 1; j < vectors.length; j++)
          for (let f = 0; f < k; f++) expected += vectors[i]![f]! * vectors[j]![f]!
      expect(out.get('sum')!.data[row]).toBeCloseTo(expected, 4)
    }
  })
})
