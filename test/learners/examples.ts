import fc from 'fast-check'

export interface Example {
  readonly indices: Uint32Array
  readonly values: Float32Array | null
  readonly label: 0 | 1
  readonly weight: number
}

/** Streams of examples with repeated slots, of any length, with and without values. */
export function examples(): fc.Arbitrary<Example[]> {
  const feature = fc.tuple(
    fc.oneof(fc.nat(8), fc.nat(0xffffffff)),
    fc.float({ min: -4, max: 4, noNaN: true, noDefaultInfinity: true }),
  )
  const example = fc.record({
    features: fc.array(feature, { maxLength: 13 }),
    ones: fc.boolean(),
    label: fc.constantFrom<0 | 1>(0, 1),
    weight: fc.constantFrom(1, 0.25, 20),
  })
  return fc.array(example, { minLength: 1, maxLength: 60 }).map((stream) =>
    stream.map(({ features, ones, label, weight }) => ({
      indices: Uint32Array.from(features, ([index]) => index),
      values: ones ? null : Float32Array.from(features, ([, value]) => value),
      label,
      weight,
    })),
  )
}

/** `count` examples of a fixed seed: about ten features each, the label leaning on whether the slots are even. */
export function randomExamples(
  seed: number,
  count: number,
  { slots, distinct = false }: { slots: number; distinct?: boolean },
): Example[] {
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Array.from({ length: count }, () => {
    const drawn = Array.from({ length: 5 + Math.floor(next() * 10) }, () => Math.floor(next() * slots))
    const indices = Uint32Array.from(distinct ? new Set(drawn) : drawn)
    const even = indices.reduce((sum, index) => sum + (index % 2 === 0 ? 1 : 0), 0)
    return {
      indices,
      values: next() < 0.5 ? null : Float32Array.from(indices, () => next() * 2 - 0.5),
      label: next() < even / indices.length ? 1 : 0,
      weight: 1,
    }
  })
}
