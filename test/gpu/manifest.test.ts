import { describe, expect, it } from 'vitest'
import { fitFeatures, parseManifest } from '../../gpu/manifest.ts'
import { FOUR, manifestOf } from './models.ts'

const good = manifestOf(new Uint8Array(1), FOUR)

describe('a manifest', () => {
  it('is read back as it was written', () => {
    expect(parseManifest(JSON.stringify(good))).toEqual(good)
  })

  const refusal = (more: object): string => {
    try {
      parseManifest(JSON.stringify({ ...good, ...more }))
    } catch (error) {
      return (error as Error).message.replace('The manifest does not hold: ', '')
    }
    return 'accepted'
  }

  it('is refused with every wrong field named, and what may stand there, in words', () => {
    expect(refusal({ name: 'Trees', licence: undefined })).toBe(
      'name is "Trees", and must be 1 to 64 lower-case letters, digits, - and _, the first a letter or a digit; licence is missing, and must be text such as Apache-2.0',
    )
    expect(refusal({ opset: 27 })).toContain('opset is 27, and must be a whole number from 7 to 26, or null')
    expect(refusal({ extra: 1 })).toBe('extra is no field of a manifest')
    expect(refusal({ input: { ...good.input, dtype: 'float64' } })).toBe(
      'input.dtype is "float64", and must be "float32"',
    )
    expect(refusal({ outputs: [{ name: 'p', width: 0 }] })).toBe(
      'outputs.0.width is 0, and must be a whole number from 1 to 10,000',
    )
    expect(refusal({ missing: { rule: 'mean' } })).toContain('missing is {"rule":"mean"}, and must be {"rule"')
    expect(refusal({ trainingRange: null })).toContain('trainingRange is null, and must be {"from", "to"}')
    expect(refusal({ input: { ...good.input, features: [...FOUR, 'a'] } })).toContain('the feature a twice')
    expect(() => parseManifest('3')).toThrow('the manifest is 3, and must be an object')
    expect(() => parseManifest('{')).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('not JSON'),
        hint: expect.stringContaining('one JSON object'),
      }),
    )
  })

  it('has a training range that does not end before it begins', () => {
    const [from, to] = ['2026-02-01T00:00:00Z', '2026-01-01T00:00:00Z']
    expect(refusal({ trainingRange: { from, to } })).toContain('from not after to')
    expect(refusal({ trainingRange: { from, to: from } })).toBe('accepted')
  })

  it('maps its features to columns of the scenario, in its own order', () => {
    expect([...fitFeatures(good, ['d', 'c', 'x', 'b', 'a'])]).toEqual([4, 3, 1, 0])
  })

  it('names the features that a scenario lacks', () => {
    expect(() => fitFeatures(good, ['a', 'c'])).toThrow('needs 2 features that the scenario does not compute: b, d')
  })

  it('names ten of many, and the name of the scenario that comes nearest', () => {
    const features = Array.from({ length: 12 }, (_, i) => `amount_${i}`)
    const refused = expect.objectContaining({
      message: expect.stringMatching(/needs 12 features .*: amount_0, .*, amount_9 and 2 more$/),
      hint: expect.stringMatching(/^Did you mean amount by amount_0\? .*rheo export features/),
    })
    expect(() => fitFeatures({ ...good, input: { ...good.input, features } }, ['hour', 'amount'])).toThrow(refused)
  })
})
