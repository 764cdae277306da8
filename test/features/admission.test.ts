import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAdmission } from '../../processors/features/admission.ts'

const HOUR_MS = 3_600_000
const admission = createAdmission({ idWindowMs: 24 * HOUR_MS, graceMs: HOUR_MS })

describe('admission', () => {
  test('drops what is older than the grace period and ids repeated within 24 h', () => {
    const state = admission.create()
    expect(admission.admit(state, 'a', 100 * HOUR_MS, 100 * HOUR_MS)).toBe('new')
    expect(admission.admit(state, 'a', 99.5 * HOUR_MS, 100 * HOUR_MS)).toBe('duplicate')
    expect(admission.admit(state, 'b', 99 * HOUR_MS, 100 * HOUR_MS)).toBe('new')
    expect(admission.admit(state, 'c', 99 * HOUR_MS - 1, 100 * HOUR_MS)).toBe('late')
    expect(admission.admit(state, 'a', 124 * HOUR_MS, 100 * HOUR_MS)).toBe('new')
  })

  test('agrees with a list of everything admitted, stored and read back at any moment', () => {
    const arrival = fc.record({
      id: fc.integer({ min: 0, max: 30 }),
      gapMs: fc.integer({ min: 0, max: 2 * HOUR_MS }),
      behindMs: fc.integer({ min: 0, max: 2 * HOUR_MS }),
      stored: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 200 }), (arrivals) => {
        const known: { id: number; tMs: number }[] = []
        let state = admission.create()
        let newestMs = 1_000 * HOUR_MS
        for (const { id, gapMs, behindMs, stored } of arrivals) {
          newestMs += gapMs
          const tMs = newestMs - behindMs
          const repeated = known.some((k) => k.id === id && Math.abs(k.tMs - tMs) < 24 * HOUR_MS)
          const expected = tMs < newestMs - HOUR_MS ? 'late' : repeated ? 'duplicate' : 'new'
          expect(admission.admit(state, String(id), tMs, newestMs)).toBe(expected)
          if (expected === 'new') known.push({ id, tMs })
          if (stored) state = admission.decode(admission.encode(state))
        }
      }),
    )
  })

  test('forgets the oldest ids of a key beyond its bound', () => {
    const bounded = createAdmission({ idWindowMs: 24 * HOUR_MS, graceMs: HOUR_MS, maxIds: 8 })
    const state = bounded.create()
    for (let i = 0; i < 100; i++) expect(bounded.admit(state, String(i), i, 0)).toBe('new')
    expect(state.length).toBeLessThanOrEqual(8)
    expect(bounded.admit(state, '99', 99, 0)).toBe('duplicate')
    expect(bounded.admit(state, '0', 0, 0)).toBe('new')
  })
})
