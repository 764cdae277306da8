import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { readGivenModel } from '../../scenarios/given-model.ts'
import { manifestOf } from '../gpu/models.ts'
import { treeRegressor } from '../gpu/tree-models.ts'
import { amountTrees } from './model-run.ts'

const NAMES = fraud.featureSet.names
let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rheo-model-'))
  file = join(folder, 'my.onnx')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Trees over the amount that say one of these. */
function writeModel(name: string, below: number, above: number): void {
  const bytes = encodeOnnx(treeRegressor(amountTrees(below, above), NAMES.length))
  const manifest = manifestOf(bytes, NAMES, { opset: null, missing: { rule: 'nan' }, name })
  writeFileSync(file, bytes)
  writeFileSync(join(folder, 'my.manifest.json'), JSON.stringify(manifest))
}

const given = (path: string, as: string | null = null) => readGivenModel({ file: path, scenario: fraud, as, fromMs: 5 })
const refusal = (code: string, text: string) => ({
  code,
  message: expect.stringContaining(text),
  hint: expect.anything(),
})

it('a model that is given is taken under its own name, or another', async () => {
  writeModel('mine', 0.25, 0.75)
  expect((await given(file)).record).toMatchObject({ name: 'mine', version: '1', action: 'serve', eventTime: 5 })
  expect(JSON.parse((await given(file, 'trees')).record.manifest)).toMatchObject({ name: 'trees' })
})

it('of its two files the one is named that is missing, or that is not what is wanted', async () => {
  await expect(given(file)).rejects.toMatchObject(refusal('INPUT_UNREADABLE', 'my.onnx is not there'))
  writeFileSync(file, 'no model')
  await expect(given(file)).rejects.toMatchObject(refusal('INPUT_UNREADABLE', 'my.manifest.json is not there'))
  await expect(given(join(folder, 'my.manifest.json'))).rejects.toMatchObject(refusal('USAGE', 'ends in .onnx'))
})

it('a file that is too large is refused before it is read', async () => {
  writeModel('mine', 0.25, 0.75)
  truncateSync(file, 2 ** 28 + 1)
  await expect(given(file)).rejects.toMatchObject(refusal('MODEL_INVALID', 'has 268435457 bytes'))
})

it('a name is refused that is none, or that something else of the scenario has', async () => {
  writeModel('mine', 0.25, 0.75)
  await expect(given(file, 'Trees')).rejects.toMatchObject(refusal('USAGE', '--as Trees'))
  await expect(given(file, 'ftrl')).rejects.toMatchObject(refusal('MODEL_INVALID', 'an arm called ftrl'))
  await expect(given(file, 'dense')).rejects.toMatchObject(refusal('MODEL_INVALID', '--dense trains'))
})

it('answers that are no probabilities are refused, with the file named', async () => {
  writeModel('mine', 7, 7)
  await expect(given(file)).rejects.toMatchObject(refusal('MODEL_INVALID', 'my.onnx: p of mine 1 is 7 in row 0 of 2'))
})
