import { describe, expect, it } from 'vitest'
import { fillFeatures, fitFeatures, parseManifest } from '../../gpu/manifest.ts'
import { FOUR, manifestOf } from './models.ts'

const good = manifestOf(new Uint8Array(1), FOUR)

describe('a manifest', () => {
  it('is read back as it was written', () => {
    expect(parseManifest(JSON.stringify(good))).toEqual(good)
  })

  it('is refused with every wrong field named', () => {
    expect(() => parseManifest('{')).toThrow('not JSON')
    expect(() => parseManifest(JSON.stringify({ ...good, opset: 'x', licence: '' }))).toThrow(/opset.*licence/)
    expect(() => parseManifest(JSON.stringify({ ...good, extra: 1 }))).toThrow('extra')
    expect(() => parseManifest(JSON.stringify({ ...good, input: { ...good.input, features: ['a', 'a'] } }))).toThrow(
      'twice',
    )
  })

  it('maps its features to columns of the scenario, in its own order', () => {
    expect([...fitFeatures(good, ['d', 'c', 'x', 'b', 'a'])]).toEqual([4, 3, 1, 0])
  })

  it('names the features that a scenario lacks', () => {
    expect(() => fitFeatures(good, ['a', 'c'])).toThrow('needs 2 features that the scenario does not compute: b, d')
  })

  it('fills missing values by its rule', () => {
    const rows = [Float64Array.of(1, Number.NaN, 3, 4)]
    const into = new Float32Array(4)
    fillFeatures({ ...good, missing: { rule: 'constant', value: -1 } }, Int32Array.of(3, 2, 1, 0), rows, into)
    expect([...into]).toEqual([4, 3, -1, 1])
    fillFeatures({ ...good, missing: { rule: 'nan' } }, Int32Array.of(3, 2, 1, 0), rows, into)
    expect([...into]).toEqual([4, 3, Number.NaN, 1])
  })
})
