import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { featureArguments, slicesOf, tableArguments } from '../../streams/state/redis-write.ts'
import type { StatePart } from '../../streams/state/state-store.ts'

const table = fc.constantFrom('t', 'u')
const part: fc.Arbitrary<StatePart> = fc.record({
  watermarkMs: fc.integer(),
  deletes: fc.array(fc.record({ table, key: fc.string() }), { maxLength: 1_200 }),
  puts: fc.array(
    fc.record({
      table,
      key: fc.string(),
      value: fc.constantFrom(0, 10, 100_000, 2_000_000).map((size) => new Uint8Array(size)),
      expiresAtMs: fc.option(fc.integer()),
    }),
    { maxLength: 1_200 },
  ),
})

describe('the slices of a part', () => {
  test('are the part again, in order and deletes first, each of bounded size', () => {
    fc.assert(
      fc.property(part, (whole) => {
        const slices = [...slicesOf(whole)]
        expect(slices.length).toBeGreaterThan(0)
        expect(slices.flatMap(({ deletes }) => deletes)).toEqual(whole.deletes)
        expect(slices.flatMap(({ puts }) => puts)).toEqual(whole.puts)
        const firstPut = slices.findIndex(({ puts }) => puts.length > 0)
        if (firstPut >= 0) expect(slices.slice(firstPut + 1).flatMap(({ deletes }) => deletes)).toEqual([])
        for (const { puts, deletes, watermarkMs } of slices) {
          expect(watermarkMs).toBe(whole.watermarkMs)
          expect(puts.length + deletes.length).toBeLessThanOrEqual(500)
          const allButLast = puts.slice(0, -1).reduce((sum, { value }) => sum + value.byteLength, 0)
          expect(allButLast).toBeLessThan(1 << 20)
        }
      }),
      { numRuns: 50 },
    )
  })
})

test('a slice is sent table by table, with the expiry in front of every value', () => {
  const put = (name: string, key: string, expiresAtMs: number | null) => ({
    ...{ table: name, key, expiresAtMs },
    value: Buffer.from('v'),
  })
  const { tables, args } = tableArguments(
    { deletes: [{ table: 'u', key: 'gone' }], puts: [put('t', 'a', 5), put('u', 'b', null)], watermarkMs: 0 },
    new Map([['t', '17']]),
    (name) => name === 't',
  )
  const stored = (expiresAtMs: number) => {
    const bytes = Buffer.alloc(9, 'v')
    bytes.writeDoubleBE(expiresAtMs)
    return bytes
  }
  expect(tables).toEqual(['u', 't'])
  expect(args).toEqual([
    ...['u', 1, 1, '', '0', 'gone', 'b', stored(Number.POSITIVE_INFINITY)],
    ...['t', 0, 1, 'sweep', '17', 'a', stored(5)],
  ])
})

test('readable features are sent with their names once per table, and only where there are any', () => {
  const names = ['n', 'm']
  const put = (key: string, ...values: number[]) => ({
    ...{ table: 't', key, expiresAtMs: null, value: new Uint8Array(0) },
    ...(values.length === 0 ? {} : { features: { names, values: Float64Array.from(values) } }),
  })
  expect(featureArguments([put('a', 1, 0.1), put('b'), put('c', Number.NaN, 2e300)])).toEqual([
    ...['t', 2, 2, 'n', 'm'],
    ...['a', '1,0.1', 'c', 'NaN,2e+300'],
  ])
  expect(featureArguments([put('b')])).toEqual([])
})
