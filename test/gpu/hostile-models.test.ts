import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inspectModel } from '../../gpu/inspect-model.ts'
import { createOnnxScorer } from '../../gpu/onnx-scorer.ts'
import { encodeOnnx, type OnnxModel } from '../../gpu/train/onnx-encoder.ts'
import { FOUR, manifestOf, mlpBytes, oneNodeModel } from './models.ts'

const options = { provider: 'cpu' } as const
const wide = { outputs: [{ name: 'p', width: 4 }] }

async function refusal(bytes: Uint8Array, more = {}): Promise<unknown> {
  return createOnnxScorer(bytes, manifestOf(bytes, FOUR, more), options).then(
    async (scorer) => {
      await scorer.close()
      return 'accepted'
    },
    (error: unknown) => error,
  )
}

function sumOf(weights: OnnxModel['initializers'][number]): OnnxModel {
  return oneNodeModel('', 4, {
    initializers: [weights],
    nodes: [{ op: 'Add', inputs: ['x', weights.name], outputs: ['p'] }],
  })
}

describe('a hostile or damaged model is refused with MODEL_INVALID', () => {
  it('takes a good one', async () => {
    expect(await refusal(mlpBytes())).toBe('accepted')
  })

  it('cut off anywhere', async () => {
    const whole = mlpBytes()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
        expect(await refusal(whole.slice(0, length))).toMatchObject({ code: 'MODEL_INVALID' })
      }),
      { numRuns: 100 },
    )
  })

  it('random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await refusal(bytes)).toMatchObject({ code: 'MODEL_INVALID' })
      }),
      { numRuns: 200 },
    )
  })

  it('changed bytes: refused, or scored with finite numbers, but never a crash', async () => {
    const whole = mlpBytes()
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = whole.slice()
          changed[at] = changed[at]! ^ flip
          const answer = await refusal(changed)
          if (answer !== 'accepted') expect(answer).toMatchObject({ code: 'MODEL_INVALID' })
        },
      ),
      { numRuns: 300 },
    )
  })

  it('another file than the manifest was written for', async () => {
    const manifest = manifestOf(mlpBytes(1), FOUR)
    await expect(createOnnxScorer(mlpBytes(2), manifest, options)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('SHA-256'),
    })
  })

  it('a shape of 2^60', async () => {
    const bytes = encodeOnnx(sumOf({ name: 'w', type: 'float32', dims: [2 ** 60], data: [] }))
    expect(await refusal(bytes, wide)).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('dimension'),
    })
  })

  it('many tensors that are too large together', async () => {
    const bytes = encodeOnnx(sumOf({ name: 'w', type: 'float32', dims: [2 ** 20, 2 ** 10], data: [] }))
    expect(await refusal(bytes, wide)).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('more than'),
    })
  })

  it('a field whose tag has more than 32 bits, which a reader of 32 bits takes for the graph', () => {
    // Field 7 with 2^32 on top, of two bytes.
    const hidden = [0xba, 0x80, 0x80, 0x80, 0x10, 2, 0, 0]
    expect(() => inspectModel(Uint8Array.from([...mlpBytes(), ...hidden]))).toThrow('tag')
  })

  it('a larger file than allowed', () => {
    expect(() => inspectModel(new Uint8Array(101), { maxFileBytes: 100, maxElements: 1, maxDepth: 1 })).toThrow(
      'at most 100',
    )
  })

  it('a custom operator', async () => {
    const bytes = encodeOnnx(
      oneNodeModel('', 4, {
        nodes: [{ op: 'Exfiltrate', domain: 'com.example', inputs: ['x'], outputs: ['p'] }],
        domains: { 'com.example': 1 },
      }),
    )
    expect(await refusal(bytes, wide)).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('custom operator'),
    })
  })

  it('an operator that ONNX does not have', async () => {
    expect(await refusal(encodeOnnx(oneNodeModel('Frobnicate')), wide)).toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('another output width, another output name, another input name, other features, another opset', async () => {
    const bytes = mlpBytes()
    expect(await refusal(bytes, { outputs: [{ name: 'p', width: 2 }] })).toMatchObject({
      message: expect.stringContaining('not float32 [1, 2]'),
    })
    expect(await refusal(bytes, { outputs: [{ name: 'q', width: 1 }] })).toMatchObject({
      message: expect.stringContaining('no output q'),
    })
    expect(await refusal(bytes, { input: { name: 'y', dtype: 'float32', features: [...FOUR] } })).toMatchObject({
      message: expect.stringContaining('input y'),
    })
    expect(await refusal(bytes, { input: { name: 'x', dtype: 'float32', features: ['a'] } })).toMatchObject({
      message: expect.stringContaining('asks for [batch, 1]'),
    })
    expect(await refusal(bytes, { opset: 17 })).toMatchObject({
      message: expect.stringContaining('opset 17, the model 18'),
    })
  })

  it('each of these with what to do next, and with a dimension that has no name shown as what it is', async () => {
    const unnamed = encodeOnnx(oneNodeModel('Sigmoid', 4, { inputs: [{ name: 'x', type: 'float32', shape: ['', 4] }] }))
    const refusals = [
      await refusal(mlpBytes(), { outputs: [{ name: 'p', width: 2 }] }),
      await refusal(mlpBytes(), { outputs: [{ name: 'q', width: 1 }] }),
      await refusal(mlpBytes(), { input: { name: 'y', dtype: 'float32', features: [...FOUR] } }),
      await refusal(mlpBytes(), { opset: 17 }),
      await refusal(encodeOnnx(oneNodeModel('Log')), wide),
      await refusal(unnamed, { ...wide, input: { name: 'x', dtype: 'float32', features: ['a'] } }),
    ]
    for (const error of refusals) expect(error).toMatchObject({ hint: expect.stringMatching(/\.$/) })
    expect(refusals.at(-1)).toMatchObject({
      message: 'Input x has shape [batch, 4], the manifest asks for [batch, 1].',
    })
  })

  it('weights in other files, wherever these are', async () => {
    for (const location of ['w.bin', '../w.bin', '/etc/passwd', '']) {
      const bytes = encodeOnnx(sumOf({ name: 'w', type: 'float32', dims: [4], data: [], external: { location } }))
      expect(await refusal(bytes, wide), location).toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining(`weights in another file, "${location}"`),
      })
    }
  })

  it('a file that is something else, told from a model that was cut off', () => {
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
    for (const bytes of [png, Buffer.from('no model'), Buffer.from('<html>'), new Uint8Array(0)])
      expect(() => inspectModel(bytes)).toThrow('is not an ONNX model')
    expect(() => inspectModel(mlpBytes().slice(0, 40))).toThrow('damaged or truncated')
  })

  it('one that sums the batch away', async () => {
    const bytes = encodeOnnx(oneNodeModel('ReduceSum', 4))
    expect(await refusal(bytes, wide)).toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('NaN and infinity on zeros', async () => {
    expect(await refusal(encodeOnnx(oneNodeModel('Log')), wide)).toMatchObject({
      message: expect.stringContaining('is -Infinity in row 0'),
    })
    expect(
      await refusal(
        encodeOnnx(oneNodeModel('', 4, { nodes: [{ op: 'Div', inputs: ['x', 'x'], outputs: ['p'] }] })),
        wide,
      ),
    ).toMatchObject({ message: expect.stringContaining('is NaN in row 0') })
  })
})
