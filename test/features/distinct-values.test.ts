import { expect, test } from 'vitest'
import { addValue, countValues, DISTINCT_BOUND, distinctList } from '../../processors/features/distinct-values.ts'
import { lengthOf, StateLayout } from '../../processors/features/entity-cells.ts'
import { hash53 } from '../../processors/features/value-hash.ts'

const WINDOWS = [{ sizeMs: 86_400_000, hopMs: 1_200_000 }]

test.each([
  [768, 0],
  [3_000, 0.06],
  [20_000, 0.08],
])('%i different values are counted with a root mean square error of at most %d', (values, most) => {
  let squares = 0
  for (let seed = 0; seed < 20; seed++) {
    const layout = new StateLayout()
    const list = distinctList(layout, WINDOWS)
    const state = layout.create()
    const counts = new Float64Array(1)
    for (let i = 0; i < values; i++) {
      addValue(list, state, hash53(`${seed}-${i}`), i, Number.NEGATIVE_INFINITY)
    }
    countValues(list, state.cells, values, Float64Array.of(-1), counts)
    squares += (counts[0]! / values - 1) ** 2
    expect(lengthOf(state.cells, list.list)).toBeLessThanOrEqual(DISTINCT_BOUND)
  }
  expect(Math.sqrt(squares / 20)).toBeLessThanOrEqual(most)
})
