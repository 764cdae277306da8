import { expect, test } from 'vitest'
import { addValue, countValues, DISTINCT_BOUND, DistinctValues } from '../../processors/features/distinct-values.ts'
import { hash53 } from '../../processors/features/value-hash.ts'

const WINDOWS = [{ sizeMs: 86_400_000, hopMs: 1_200_000 }]

test.each([
  [768, 0],
  [3_000, 0.06],
  [20_000, 0.08],
])('%i different values are counted with a root mean square error of at most %d', (values, most) => {
  let squares = 0
  for (let seed = 0; seed < 20; seed++) {
    const list = new DistinctValues()
    const counts = new Float64Array(1)
    for (let i = 0; i < values; i++) {
      addValue(list, hash53(`${seed}-${i}`), i, WINDOWS, Number.NEGATIVE_INFINITY, DISTINCT_BOUND)
    }
    countValues(list, values, Float64Array.of(-1), counts)
    squares += (counts[0]! / values - 1) ** 2
    expect(list.length).toBeLessThanOrEqual(DISTINCT_BOUND)
  }
  expect(Math.sqrt(squares / 20)).toBeLessThanOrEqual(most)
})
