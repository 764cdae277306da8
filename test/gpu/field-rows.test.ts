import { describe, expect, it } from 'vitest'
import { float32, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { compile } from '../../gpu/train/compile.ts'
import { weightsAndProducts } from '../../gpu/train/deep-fm.ts'
import { square } from '../../gpu/train/elementwise.ts'
import {
  hashedEmbedding,
  hashedTableRows,
  isKnown,
  knotEmbedding,
  knotPlace,
  knotTableRows,
  MISSING,
} from '../../gpu/train/field-rows.ts'
import { createGraph, type Value } from '../../gpu/train/graph.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { hash53 } from '../../processors/features/value-hash.ts'
import { type Checked, gradientError, numbers } from './finite-difference.ts'

const BUCKETS = 509
const FIELDS = 2
const ROWS = 2_000

/** What comes out of a table whose rows hold their own numbers, two fields a row. */
async function embeddedIn(embed: (x: Value, table: Value) => Value, x: readonly number[]): Promise<number[]> {
  const graph = createGraph()
  const input = graph.input('x', 'float32', ['batch', FIELDS])
  const table = graph.constant(
    'float32',
    [ROWS, 1],
    Array.from({ length: ROWS }, (_, row) => row),
  )
  const session = await openSession(encodeOnnx(compile('rows', { rows: embed(input, table) })), { provider: 'cpu' })
  const out = await runOnce(session, { x: float32([x.length / FIELDS, FIELDS], x) })
  await session.release()
  return [...out.get('rows')!.data]
}

const hashed = (codes: readonly number[]) => embeddedIn((x, table) => hashedEmbedding(x, BUCKETS, table), codes)
const knotsOf = (x: Value, table: Value) => knotEmbedding(knotPlace(x), isKnown(x), table)
const knots = (x: readonly number[]) => embeddedIn(knotsOf, x)

describe('rows of a hashed embedding', () => {
  it('are the code modulo the buckets, in the rows of its field, also for hashes that lost their last bits', async () => {
    const names = Array.from({ length: 40 }, (_, i) => Math.fround(hash53(`country ${i}`)))
    const codes = [0, 0, 7, 509, 510, 2 ** 24 - 1, ...names]
    const expected = codes.map((code, i) => Number(BigInt(code) % BigInt(BUCKETS)) + (i % FIELDS) * (BUCKETS + 1))
    expect(await hashed(codes)).toEqual(expected)
    expect(new Set(names.map((_, i) => expected[i + 6]! % (BUCKETS + 1))).size).toBeGreaterThan(35)
  })

  it('are one of their own for what is missing', async () => {
    expect(await hashed([-1, -1, MISSING, Number.NaN])).toEqual([509, 1019, 509, 1019])
  })

  it('exist whatever comes in', async () => {
    const rows = await hashed([Number.POSITIVE_INFINITY, 3e38, Number.NEGATIVE_INFINITY, 2.5, -3e38, 1e-40])
    for (const [i, row] of rows.entries()) expect(Math.floor(row / (BUCKETS + 1))).toBe(i % FIELDS)
  })
})

describe('an embedding of numbers between knots', () => {
  it('is a straight line from knot to knot of log2(1 + 64 |x|), and a row of its own for what is missing', async () => {
    const x = [0, 1 / 64, 1, 50, 3_000_000, 0.3, -1 / 64, -0.02]
    const place = (value: number) => Math.sign(value) * Math.log2(1 + 64 * Math.abs(value)) + 6
    const rows = await knots([...x, MISSING, Number.NaN])
    for (const [i, value] of x.entries()) expect(rows[i]).toBeCloseTo(place(value) + (i % FIELDS) * 36, 4)
    expect(rows.slice(-2)).toEqual([35, 71])
  })

  it('holds what lies beyond the ends at the ends', async () => {
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number
    expect(await knots([1e30, POSITIVE_INFINITY, -1e28, NEGATIVE_INFINITY])).toEqual([34, 70, 0, 71])
  })
})

describe('gradients agree with central differences', () => {
  const codes = { ...float32([3, 2], [4, 1, 1, -1, 7, 4]), shape: ['batch', 2] }

  it('through a hashed table, adding up the examples that share a row', async () => {
    const table: Checked = { shape: [hashedTableRows(2, 3), 2], data: numbers(16, 12) }
    const build = (v: Readonly<Record<string, Value>>) => square(hashedEmbedding(v['codes']!, 3, v['table']!))
    expect(await gradientError({ table }, build, { codes })).toBeLessThan(4e-3)
  })

  it('through a table of knots, with the shares of the two', async () => {
    const table: Checked = { shape: [knotTableRows(2), 1], data: numbers(knotTableRows(2), 13) }
    const x = { ...float32([3, 2], [0.3, 2, 0.4, MISSING, -0.01, 2.5]), shape: ['batch', 2] }
    expect(await gradientError({ table }, (v) => square(knotsOf(v['x']!, v['table']!)), { x })).toBeLessThan(4e-3)
  })

  it('of weights and products, which are those of all pairs', async () => {
    const [batch, k] = [2, 3]
    const parts = [3, 2].map((fields, i) => ({
      shape: [batch, fields, k + 1],
      data: numbers(batch * fields * (k + 1), i + 3),
    }))
    const checked = { a: parts[0]!, b: parts[1]! }
    expect(await gradientError(checked, (v) => weightsAndProducts([v['a']!, v['b']!]))).toBeLessThan(4e-3)

    const graph = createGraph()
    const inputs = Object.entries(checked).map(([name, { shape }]) => graph.input(name, 'float32', shape))
    const bytes = encodeOnnx(compile('sum', { sum: weightsAndProducts(inputs) }))
    const session = await openSession(bytes, { provider: 'cpu' })
    const feeds = Object.entries(checked).map(([name, { shape, data }]) => [name, float32(shape, data)] as const)
    const out = await runOnce(session, Object.fromEntries(feeds))
    await session.release()
    for (let row = 0; row < batch; row++) {
      const fields = parts.flatMap(({ shape, data }) =>
        Array.from({ length: shape[1]! }, (_, f) => data.slice((row * shape[1]! + f) * (k + 1)).slice(0, k + 1)),
      )
      let expected = 0
      for (const [i, [weight, ...factor]] of fields.entries()) {
        expected += weight!
        for (const [, ...other] of fields.slice(i + 1))
          expected += factor.reduce((sum, value, f) => sum + value * other[f]!, 0)
      }
      expect(out.get('sum')!.data[row]).toBeCloseTo(expected, 4)
    }
  })
})
