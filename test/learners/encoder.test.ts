import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Encoder, type EncoderOptions, type SparseExample } from '../../processors/learners/encoder.ts'

const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const anyNumber = fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, 1, 1e300, -1e300), fc.integer())

function encode(names: readonly string[], options: EncoderOptions, features: readonly number[]): SparseExample {
  const encoder = new Encoder(names, options)
  const example = encoder.createExample()
  encoder.encode(Float64Array.from(features), example)
  return example
}

/** Slot → value, without the bias. */
function entries(example: SparseExample): Map<number, number> {
  const pairs = Array.from({ length: example.length - 1 }, (_, i) => i + 1)
  return new Map(pairs.map((i) => [example.indices[i]!, example.values[i]!]))
}

/** Where a value lies on the scale, in knots. */
function place(value: number): number {
  return entries(encode(['x'], {}, [value]))
    .entries()
    .reduce((sum, [slot, share]) => sum + slot * share, 0)
}

describe('Encoder', () => {
  it('starts every example with the bias', () => {
    const example = encode(['a'], {}, [Number.NaN])
    expect([example.length, example.indices[0], example.values[0], example.owners[0]]).toEqual([1, 0, 1, -1])
  })

  it('puts a value between its two nearest knots, by nearness', () => {
    const [lower, upper, between] = [0, 1 / 64, 0.75 / 64].map((value) => [...entries(encode(['x'], {}, [value]))])
    expect(lower!.map(([, share]) => share)).toEqual([1])
    expect(upper!.map(([, share]) => share)).toEqual([1])
    // one octave has two knots: 0.75 of the way is halfway between the middle one and the upper one
    expect(between).toEqual([
      [lower![0]![0] + 1, 0.5],
      [upper![0]![0], 0.5],
    ])
  })

  it('gives each known feature exactly the weight 1, spread over at most two of its own slots', () => {
    fc.assert(
      fc.property(fc.array(anyNumber, { minLength: 1, maxLength: 20 }), (values) => {
        const example = encode(
          values.map((_, i) => `f${i}`),
          {},
          values,
        )
        const weight = new Float64Array(values.length)
        for (let i = 1; i < example.length; i++) {
          expect(example.values[i]).toBeGreaterThan(0)
          expect(Math.floor((example.indices[i]! - 1) / 128)).toBe(example.owners[i])
          weight[example.owners[i]!]! += example.values[i]!
        }
        values.forEach((value, i) => void expect(weight[i]).toBeCloseTo(Number.isNaN(value) ? 0 : 1, 6))
      }),
    )
  })

  it('is monotone and continuous in the value', () => {
    fc.assert(
      fc.property(finite, finite, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a]
        expect(place(low)).toBeLessThanOrEqual(place(high) + 1e-4)
      }),
    )
    for (let value = 0; value < 4; value += 1 / 1024) {
      expect(place(value + 1 / 1024) - place(value)).toBeLessThan(0.13)
    }
  })

  it('is symmetric about zero as far as the scale goes', () => {
    const zero = place(0)
    for (const value of [1e-3, 0.4, 1, 17, 1e4]) expect(place(-value) - zero).toBeCloseTo(zero - place(value), 4)
  })

  it('gives a category one slot per value, whatever else is in the example', () => {
    const options = { categorical: ['code'] }
    const slotOf = (x: number, code: number): number =>
      encode(['x', 'code'], options, [x, code]).indices[encode(['x', 'code'], options, [x, code]).length - 1]!
    const slots = Array.from({ length: 50 }, (_, code) => slotOf(1, code))
    expect(new Set(slots).size).toBeGreaterThan(48)
    expect(slotOf(2, 7)).toBe(slotOf(1, 7))
    expect(slotOf(1, -0)).toBe(slotOf(1, 0))
    expect(Math.min(...slots)).toBeGreaterThan(2 * 128)
  })

  it('crosses pairs of features, also where one is missing, and leaves out pairs it does not know', () => {
    const options: EncoderOptions = {
      crosses: [
        ['a', 'b'],
        ['a', 'absent'],
      ],
    }
    const crossOf = (a: number, b: number): number => {
      const example = encode(['a', 'b'], options, [a, b])
      const last = example.length - 1
      expect([example.owners[last], example.partners[last], example.values[last]]).toEqual([0, 1, 1])
      return example.indices[last]!
    }
    const slots = [crossOf(1, 1), crossOf(1, 100), crossOf(100, 1), crossOf(Number.NaN, 1), crossOf(1, Number.NaN)]
    expect(new Set(slots).size).toBe(5)
    expect(crossOf(1, 1.01)).toBe(crossOf(1, 1))
  })

  it('keeps every slot inside the table', () => {
    fc.assert(
      fc.property(fc.array(anyNumber, { minLength: 3, maxLength: 12 }), (values) => {
        const names = values.map((_, i) => `f${i}`)
        const options: EncoderOptions = { categorical: ['f0'], crosses: [['f1', 'f2']] }
        const encoder = new Encoder(names, options)
        const example = encode(names, options, values)
        for (let i = 0; i < example.length; i++) expect(example.indices[i]).toBeLessThan(2 ** encoder.bits)
      }),
    )
  })

  it('refuses two features of one name', () => {
    expect(() => new Encoder(['a', 'b', 'a'])).toThrow("feature 'a' is declared twice")
  })
})
