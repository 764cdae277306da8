import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileFilter } from '../../cli/filter.ts'
import { RheoError } from '../../schemas/errors.ts'

const event = { decision: 'block', probability: 0.93, challengers: { frozen: 0.2 }, degraded: false, ip: null }

describe('a filter', () => {
  it.each([
    ['decision == "block"', true],
    ['decision != "block"', false],
    ['probability > 0.9 && challengers.frozen < 0.5', true],
    ['probability > 0.95 || degraded == false', true],
    ['probability > 0.95 || degraded == false && decision == "allow"', false],
    ['!(decision == "allow") && decision ~ "loc"', true],
    ['ip == null && missing == null', true],
    ['probability == "0.93"', false],
    ['missing < 1 || missing >= 1', false],
    ['constructor == null && toString.name == null', true],
  ])('%s → %s', (text, passes) => {
    expect(compileFilter(text)(event)).toBe(passes)
  })

  it.each(['', 'a', 'a ==', 'a = 1', 'a == b', '(a == 1', 'a == 1 b == 2', '== 1', 'a == "x', 'a == 1 &&'])(
    'refuses `%s` with the place of the mistake',
    (text) => {
      expect(() => compileFilter(text)).toThrow(/at column \d+/)
    },
  )

  it('compiles any text or refuses it by name', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(typeof compileFilter(text)(event)).toBe('boolean')
        } catch (error) {
          expect(error).toBeInstanceOf(RheoError)
        }
      }),
    )
  })

  it('compares with whatever text it is given', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, other) => {
        const passes = compileFilter(`name == ${JSON.stringify(value)}`)
        expect(passes({ name: value })).toBe(true)
        expect(passes({ name: other })).toBe(value === other)
      }),
    )
  })
})
