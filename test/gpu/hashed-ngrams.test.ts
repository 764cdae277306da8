import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeText, NGRAMS } from '../../gpu/train/hashed-ngrams.ts'

function row(text: string): Float32Array {
  const into = new Float32Array(NGRAMS.width).fill(7)
  encodeText(text, NGRAMS, into)
  return into
}

function cosine(a: string, b: string): number {
  const [x, y] = [row(a), row(b)]
  return x.reduce((sum, value, i) => sum + value * y[i]!, 0)
}

describe('hashed n-grams', () => {
  it('have length 1 for any text with a word, and 0 without', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const length = Math.hypot(...row(text))
        expect(length).toBeCloseTo(/[\p{L}\p{N}']/u.test(text) ? 1 : 0, 4)
      }),
      { numRuns: 50 },
    )
  })

  it('see neither case nor punctuation, but the order of words', () => {
    expect(row('Set an alarm!')).toEqual(row('set an  ALARM'))
    expect(row('alarm an set')).not.toEqual(row('set an alarm'))
  })

  it('keep a typing error near, and another subject far', () => {
    const near = cosine('what is my account balance', 'what is my acount balance')
    const far = cosine('what is my account balance', 'book a flight to paris')
    expect(near).toBeGreaterThan(0.6)
    expect(Math.abs(far)).toBeLessThan(0.15)
  })

  it('refuse a row of another width', () => {
    expect(() => encodeText('a', NGRAMS, new Float32Array(3))).toThrow('power of two')
  })
})
