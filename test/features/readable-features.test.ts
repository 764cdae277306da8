import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbitrarySteps, EVERYTHING, foldSteps, planOf } from './streams.ts'

const GRACE_MS = 3_600_000

test('what is shown of an entity is what any event at the time of its newest would find, and showing it changes nothing', () => {
  const { plan, names } = planOf(EVERYTHING, { graceMs: GRACE_MS })
  const askedByEvent = names.filter((_, slot) => !plan.entitySlots.includes(slot))
  expect(askedByEvent.every((name) => /seen|changed|speed/.test(name))).toBe(true)
  expect(askedByEvent.length).toBeGreaterThan(3)
  const read = (state: Parameters<typeof plan.read>[0], event: object): Float64Array => {
    const vector = new Float64Array(names.length).fill(Number.NaN)
    plan.read(state, event, state.newestMs, state.watermarkMs, vector)
    return Float64Array.from(plan.entitySlots, (slot) => vector[slot]!)
  }
  fc.assert(
    fc.property(arbitrarySteps(GRACE_MS), (steps) => {
      const unseen = foldSteps(plan, names, steps)
      const shown = foldSteps(plan, names, steps, (state, index) => {
        if (Number.isFinite(state.newestMs)) expect(read(state, {})).toEqual(read(state, steps[index]!.event))
        return state
      })
      expect(shown.vectors).toEqual(unseen.vectors)
      expect(plan.encode(shown.state)).toEqual(plan.encode(unseen.state))
    }),
    { numRuns: 100 },
  )
})
