import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { count } from '../../processors/features/declare.ts'
import { Oracle } from './oracle.ts'
import { arbitrarySteps, EVERYTHING, foldSteps, MAIN, planOf } from './streams.ts'

const GRACE_MS = 3_600_000

describe('features of one entity', () => {
  test('equal a recomputation over all events before, in whatever order they came', () => {
    const { plan, names, wanted } = planOf(EVERYTHING, { graceMs: GRACE_MS })
    fc.assert(
      fc.property(arbitrarySteps(GRACE_MS), (steps) => {
        const oracle = new Oracle(plan, MAIN)
        const { vectors } = foldSteps(plan, names, steps)
        let reading = 0
        for (const step of steps) {
          if (step.kind === MAIN) {
            const vector = vectors[reading++]!
            wanted.forEach((feature, slot) => {
              const expected = oracle.value(feature, step.event, step.tMs, step.watermarkMs)
              expectClose(vector[slot]!, expected, feature.spec.aggregate, names[slot]!)
            })
          }
          oracle.add(step, step.watermarkMs)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('keep every bit when the state is stored and read back at any moment, and store the same bytes', () => {
    const { plan, names } = planOf(EVERYTHING, { graceMs: GRACE_MS })
    fc.assert(
      fc.property(arbitrarySteps(GRACE_MS), fc.array(fc.boolean(), { minLength: 1 }), (steps, stored) => {
        const unbroken = foldSteps(plan, names, steps)
        const broken = foldSteps(plan, names, steps, (state, index) =>
          stored[index % stored.length] ? plan.decode(plan.encode(state)) : state,
        )
        expect(broken.vectors).toEqual(unbroken.vectors)
        expect(plan.encode(broken.state)).toEqual(plan.encode(unbroken.state))
      }),
      { numRuns: 200 },
    )
  })

  test('do not depend on when old rows are merged', () => {
    const { plan, names } = planOf(EVERYTHING, { graceMs: GRACE_MS })
    fc.assert(
      fc.property(arbitrarySteps(GRACE_MS, 300), fc.integer({ min: 1, max: 7 }), (steps, every) => {
        const rarely = foldSteps(plan, names, steps)
        const often = foldSteps(plan, names, steps, (state, index) => {
          if (index % every === 0) plan.encode(state) // merges all that may be merged
          return state
        })
        expect(often.vectors).toEqual(rarely.vectors)
      }),
      { numRuns: 100 },
    )
  })

  test('do not depend on whether a store dropped the state once it had expired', () => {
    const { plan, names } = planOf(EVERYTHING, { graceMs: GRACE_MS })
    fc.assert(
      fc.property(arbitrarySteps(GRACE_MS), (steps) => {
        const kept = foldSteps(plan, names, steps)
        const dropped = foldSteps(plan, names, steps, (state, index) => {
          const next = steps[index + 1]
          return next !== undefined && plan.expiresAtMs(state) < next.watermarkMs ? plan.create() : state
        })
        expect(dropped.vectors).toEqual(kept.vectors)
        expect(plan.encode(dropped.state)).toEqual(plan.encode(kept.state))
      }),
      { numRuns: 200 },
    )
  })

  test('stay bounded for an entity with an event every ten milliseconds, and exact in order', () => {
    const { plan, names } = planOf([count().over('1 min', '1 h').by('customerId')], { graceMs: GRACE_MS })
    const steps = Array.from({ length: 50_000 }, (_, i) => ({
      kind: MAIN,
      tMs: START_MS + i * 10,
      watermarkMs: START_MS + i * 10,
      event: { customerId: 'x' },
    }))
    const { vectors, state } = foldSteps(plan, names, steps)
    // (t − 60 s) floored to the second, exclusive, up to t; the record itself is not in yet.
    const last = steps.length - 1
    const edgeMs = Math.floor((steps[last]!.tMs - 60_000) / 1_000) * 1_000
    const inMinute = steps.filter((step, i) => i < last && step.tMs > edgeMs).length
    expect([...vectors[last]!]).toEqual([inMinute, last])
    expect(plan.encode(state).length).toBeLessThan(10_000)
  })
})

const START_MS = Date.UTC(2026, 0, 5)

const EXACT = new Set(['count', 'distinct', 'seen', 'min', 'max', 'last', 'changed', 'sinceLast'])

function expectClose(actual: number, expected: number, aggregate: string, name: string): void {
  if (Object.is(actual, expected) || actual === expected) return
  const exact = EXACT.has(aggregate) && !name.includes('halfLife')
  // Amounts up to 1e9 have squares whose running totals, pairs of doubles, end at 1e-14: no relative error there.
  const floor = aggregate === 'variance' ? 1e-3 : 0
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), floor)
  expect(exact ? 'different' : error, `${name}: ${actual}, expected ${expected}`).toBeLessThan(1e-9)
}
