import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { progressLine } from '../../cli/progress-bar.ts'
import { safe, shownBytes, shownDuration } from '../../cli/terminal.ts'

describe('text from events', () => {
  it('cannot steer the terminal', () => {
    expect(safe('a\u001b[31mb\u009b2Jc\u202ed\r\n')).toBe('a\\x1b[31mb\\x9b2Jc\\u202ed\\x0d\\x0a')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
        expect(safe(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
      }),
    )
  })

  it('stays as it is otherwise', () => {
    expect(safe('Straße 付款 😀 {"a":1}')).toBe('Straße 付款 😀 {"a":1}')
  })
})

describe('progress', () => {
  it('says how much is done and how long the rest takes at this pace', () => {
    const line = progressLine({ done: 25_000, fraction: 0.25, perSecond: 2500, at: '2026-01-31' }, 'records', 10_000)
    expect(line).toContain(' 25 % · 25,000 records · 2,500/s · 30 s left · 2026-01-31')
  })

  it('shows no end where none is known', () => {
    expect(progressLine({ done: 5, fraction: null, perSecond: 1, at: '' }, 'records', 5_000)).not.toContain('left')
  })

  it('writes spans and sizes for people', () => {
    expect(shownDuration(3_725_000)).toBe('1 h 02 min')
    expect(shownDuration(61_000)).toBe('1 min 01 s')
    expect(shownBytes(734_003_200)).toBe('700 MiB')
  })
})
