import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { manifestOf } from '../gpu/models.ts'
import { treeRegressor } from '../gpu/tree-models.ts'
import { amountTrees } from '../scenarios/model-run.ts'
import { inFolder, rheo } from './rheo.ts'

const NAMES = fraud.featureSet.names

/** `my.onnx` with its manifest: trees over the amount. */
function writeModel(
  directory: string,
  more: Parameters<typeof manifestOf>[2] = {},
  features: readonly string[] = NAMES,
) {
  const bytes = encodeOnnx(treeRegressor(amountTrees(0.25, 0.75), features.length))
  writeFileSync(join(directory, 'my.onnx'), bytes)
  const manifest = manifestOf(bytes, features, { opset: null, missing: { rule: 'nan' }, name: 'mine', ...more })
  writeFileSync(join(directory, 'my.manifest.json'), JSON.stringify(manifest))
}

const payment = (n: number): string =>
  JSON.stringify({
    paymentId: `p${n}`,
    eventTime: '2026-03-02T08:00:00Z',
    customerId: `c${n % 3}`,
    terminalId: 't1',
    currency: 'EUR',
    amount: 40 * n,
  })

async function scoresOf(directory: string): Promise<{ challengers: Record<string, number>; modelName: string }[]> {
  const args = ['subscribe', 'scores', '--since', 'start', '--state', 's', '--json', '--no-follow']
  const { stdout } = await rheo(directory, args)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).event)
}

/** A log in `s`, as the first event makes it. */
async function makeLog(directory: string): Promise<void> {
  const { code } = await rheo(directory, ['produce', 'payments', '--state', 's'], { stdin: `${payment(1)}\n` })
  expect(code).toBe(0)
}

interface Given {
  readonly more?: Parameters<typeof manifestOf>[2]
  readonly features?: readonly string[]
}

const refused: readonly (readonly [what: string, given: Given, difference: string])[] = [
  ['a feature that the scenario does not compute', { features: [...NAMES.slice(1), 'shoeSize'] }, 'shoeSize'],
  ['another file than the manifest names', { more: { sha256: 'ab'.repeat(32) } }, 'SHA-256'],
  ['an output that it does not have', { more: { outputs: [{ name: 'q', width: 1 }] } }, 'no output q'],
  ['the name of an arm', { more: { name: 'frozen' } }, 'frozen'],
]

describe('rheo model', () => {
  it('lets a user’s own model score in shadow on the live stream, and no more after rm', () =>
    inFolder(async (directory) => {
      writeModel(directory)
      const dev = ['dev', 'fraud', '--no-generator', '--for', '300ms', '--state', 's', '--json']
      const produce = (n: number) =>
        rheo(directory, ['produce', 'payments', '--state', 's'], { stdin: `${payment(n)}\n` })
      await rheo(directory, dev)
      const added = await rheo(directory, ['model', 'add', './my.onnx', '--as', 'trees', '--state', 's', '--json'])
      expect({ code: added.code, stderr: added.stderr }).toEqual({ code: 0, stderr: '' })
      expect(JSON.parse(added.stdout)).toMatchObject({ name: 'trees', version: '1', action: 'serve' })
      await produce(1)
      expect((await rheo(directory, dev)).code).toBe(0)
      const listed = JSON.parse((await rheo(directory, ['model', 'ls', '--state', 's', '--json'])).stdout)
      expect(listed.models).toMatchObject([{ name: 'trees', version: '1', scores: true, offset: '0' }])
      await rheo(directory, ['model', 'rm', 'trees', '--state', 's'])
      const lines = (await rheo(directory, ['model', 'ls', '--state', 's'])).stdout.trimEnd().split('\n')
      expect(lines.map((line) => line.split('…  ')[1])).toEqual(['was withdrawn', 'withdrawn here'])
      await produce(2)
      await rheo(directory, dev)
      const [first, second] = await scoresOf(directory)
      expect(first).toMatchObject({ modelName: 'ftrl+trees@1', degraded: false })
      expect(first!.challengers['trees']).toBeCloseTo(0.25, 6)
      expect(second!.modelName).toBe('ftrl')
      expect(second!.challengers).not.toHaveProperty('trees')
    }))

  it('is named at the end of a replay in which it scored nothing, with the reason', () =>
    inFolder(async (directory) => {
      writeModel(directory)
      const args = ['replay', 'fraud', '--payments', '40', '--days', '3', '--dense', '--model']
      const { code, stdout } = await rheo(directory, [...args, './my.onnx@2030-01-01'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/^mine scored 0 of \d+ payments: it scores from 2030-01-01T00:00:00Z on \(FILE@TIME/m)
      expect(stdout).toMatch(/^dense scored 0 of \d+ payments: it has had \d+ of the 2,048 labelled examples/m)
      expect((await rheo(directory, [...args, './my.onnx@2026-01-01'])).stdout).not.toContain('mine scored 0')
      const twice = await rheo(directory, [...args, './my.onnx', '--model', './my.onnx'])
      expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('./my.onnx is mine 1, which another')])
    }))

  it.each(refused)('refuses %s, and names the difference', (_what, { more, features }, difference) =>
    inFolder(async (directory) => {
      writeModel(directory, more, features)
      await makeLog(directory)
      const { code, stdout, stderr } = await rheo(directory, ['model', 'add', 'my.onnx', '--state', 's'])
      expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
      expect(stderr).toContain('MODEL_INVALID')
      expect(stderr).toContain(difference)
      expect((await rheo(directory, ['model', 'ls', '--state', 's'])).stdout).toContain('No model was added')
    }),
  )

  it('says what is missing where there is no manifest, and refuses a version that means another file', () =>
    inFolder(async (directory) => {
      writeFileSync(join(directory, 'my.onnx'), 'no model')
      expect((await rheo(directory, ['model', 'add', 'my.onnx', '--state', 's'])).stderr).toContain('my.manifest.json')
      writeModel(directory)
      const missing = await rheo(directory, ['model', 'add', 'my.onnx', '--state', 's'])
      expect([missing.code, missing.stderr]).toEqual([4, expect.stringContaining('there is no log in s')])
      await makeLog(directory)
      const added = await rheo(directory, ['model', 'add', 'my.onnx', '--state', 's'])
      expect(added.stdout).toMatch(/^mine 1 scores from now on every event of 2026-02-01T00:00:00Z or later/)
      const listed = await rheo(directory, ['model', 'ls', '--state', 's'])
      expect(listed.stdout).toMatch(/mine 1 .* scores events from 2026-\S+Z on/)
      const other = encodeOnnx(treeRegressor(amountTrees(0.1, 0.9), NAMES.length))
      writeFileSync(join(directory, 'my.onnx'), other)
      const manifest = manifestOf(other, NAMES, { opset: null, missing: { rule: 'nan' }, name: 'mine' })
      writeFileSync(join(directory, 'my.manifest.json'), JSON.stringify(manifest))
      const clash = await rheo(directory, ['model', 'add', 'my.onnx', '--state', 's'])
      expect(clash.stderr).toContain('mine 1')
      expect(clash.code).not.toBe(0)
    }))
})
