import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { type Ended, rheo } from '../cli/rheo.ts'
import { manifestOf } from '../gpu/models.ts'
import { treeRegressor } from '../gpu/tree-models.ts'
import { modelFilesContract } from '../scenarios/model-files-contract.ts'
import { amountTrees } from '../scenarios/model-run.ts'
import { needBroker, openTestLog, prefixed, uniqueName } from './kafka-broker.ts'
import { SERVERS, startWorker, until, type WorkerProcess } from './worker-process.ts'

const NAMES = fraud.featureSet.names
const PAYMENTS = 400
/** A version comes after 2,048. */
const EXAMPLES = 2_200

/** Other runs have left theirs in the topics. */
const run = randomUUID().slice(0, 8)
const root = mkdtempSync(join(tmpdir(), 'rheo-models-'))

beforeAll(() => needBroker())
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A machine of its own: a folder that no other process looks into. */
function machine(name: string): string {
  const directory = join(root, name)
  mkdirSync(directory)
  return directory
}

async function done(ended: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await ended
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

describe('the files of models on Kafka', () => {
  modelFilesContract(async () => {
    const log = prefixed(openTestLog(), uniqueName())
    return { log, close: async () => log.close() }
  })
})

describe('a model that is added from one machine', () => {
  it('scores on all workers, none of which has its file, and on one that is started later', async () => {
    const env = SERVERS
    const desk = machine('desk')
    const name = `m${run}`
    const bytes = encodeOnnx(treeRegressor(amountTrees(0.25, 0.75), NAMES.length))
    writeFileSync(join(desk, 'my.onnx'), bytes)
    const manifest = manifestOf(bytes, NAMES, { opset: null, missing: { rule: 'nan' }, name })
    writeFileSync(join(desk, 'my.manifest.json'), JSON.stringify(manifest))
    const scored = async () => {
      const args = ['subscribe', 'scores', '--since', '10m', '--no-follow', '--json']
      const lines = (await done(rheo(desk, args, { env }))).trim().split('\n')
      const events = lines.filter((line) => line.includes(`"${run}-`)).map((line) => JSON.parse(line).event)
      return events as { paymentId: string; challengers: Record<string, number>; degraded: boolean }[]
    }
    const produce = (from: number, until: number) => {
      const lines = Array.from({ length: until - from }, (_, i) => {
        const [paymentId, customerId] = [`${run}-${from + i}`, `${run}-c${i % 97}`]
        return JSON.stringify({ paymentId, eventTime: Date.now(), customerId, terminalId: `${run}-t`, amount: 100 })
      })
      return done(rheo(desk, ['produce', 'payments'], { env, stdin: `${lines.join('\n')}\n` }))
    }
    const workers: WorkerProcess[] = []
    try {
      workers.push(startWorker(machine('a')))
      await until('the first one runs all', () => workers[0]!.tasks().length === 4, { workers })
      workers.push(startWorker(machine('b')))
      await until('two workers share the tasks', () => workers.every((each) => each.tasks().length === 2), { workers })
      await done(rheo(desk, ['model', 'add', 'my.onnx'], { env }))
      await produce(0, PAYMENTS)
      await until('all scores', async () => (await scored()).length === PAYMENTS, { workers })
      const first = await scored()
      expect(first.filter(({ degraded }) => degraded)).toEqual([])
      // The record came before the payments in each partition that it reached in time: none may be left out on a worker.
      const withModel = first.filter(({ challengers }) => Math.abs((challengers[name] ?? 0) - 0.75) < 1e-6)
      expect(withModel.length).toBeGreaterThan(PAYMENTS / 2)
      for (const worker of workers) worker.signal('SIGKILL')
      await Promise.all(workers.map(({ ended }) => ended))

      workers.push(startWorker(machine('c')))
      await until('the late one runs all', () => workers.at(-1)!.tasks().length === 4, { workers })
      await produce(PAYMENTS, 2 * PAYMENTS)
      await until('all scores', async () => (await scored()).length === 2 * PAYMENTS, { workers })
      const later = (await scored()).filter(({ paymentId }) => Number(paymentId.split('-')[1]) >= PAYMENTS)
      expect(later.map(({ challengers }) => Math.round((challengers[name] ?? 0) * 100))).toEqual(
        Array.from({ length: PAYMENTS }, () => 75),
      )
      expect(later.filter(({ degraded }) => degraded)).toEqual([])
    } finally {
      await rheo(desk, ['model', 'rm', name], { env })
      for (const worker of workers) worker.signal('SIGKILL')
      await Promise.all(workers.map(({ ended }) => ended))
    }
  })
})

describe('a dense model that workers train', () => {
  it('is trained by who runs task 0, by another when that one dies, and each version is published once', async () => {
    const env = SERVERS
    const desk = machine('office')
    const before = await denseVersions(desk)
    const workers = [startWorker(machine('d'), {}, ['--dense'])]
    const trains = (worker: WorkerProcess) =>
      worker.log.findLastIndex(({ msg }) => msg === 'training the dense model') >= 0 && worker.tasks().includes(0)
    try {
      await until('the first one runs all', () => workers[0]!.tasks().length === 4, { workers })
      workers.push(startWorker(machine('e'), {}, ['--dense']))
      await until('two workers share the tasks', () => workers.every((each) => each.tasks().length === 2), { workers })
      const ids = Array.from({ length: EXAMPLES }, (_, i) => `${run}-dense-${i}`)
      const stdin = (lines: readonly object[]) => ({ env, stdin: lines.map((line) => JSON.stringify(line)).join('\n') })
      const payments = ids.map((paymentId, i) => {
        const [customerId, terminalId] = [`${run}-c${i % 97}`, `${run}-t${i % 31}`]
        return { paymentId, eventTime: Date.now(), customerId, terminalId, amount: 1 + (i % 500) }
      })
      await done(rheo(desk, ['produce', 'payments'], stdin(payments)))
      const labels = ids.map((paymentId, i) => {
        return { paymentId, eventTime: Date.now(), fraud: i % 50 === 0, source: 'analyst' }
      })
      await done(rheo(desk, ['produce', 'labels'], stdin(labels)))
      const [trainer] = workers.filter(trains)
      expect(workers.filter(trains)).toHaveLength(1)
      trainer!.signal('SIGKILL')
      await trainer!.ended
      const [heir] = workers.filter((worker) => worker !== trainer)
      await until('the other one trains', () => trains(heir!), { workers })
      await until('a version', async () => (await denseVersions(desk)).length > before.length, { workers })
      const versions = await denseVersions(desk)
      expect(new Set(versions).size).toBe(versions.length)
      expect(heir!.text()).not.toContain('is not trained')
    } finally {
      await rheo(desk, ['model', 'rm', 'dense'], { env })
      for (const worker of workers) worker.signal('SIGKILL')
      await Promise.all(workers.map(({ ended }) => ended))
    }
  })
})

async function denseVersions(directory: string): Promise<readonly string[]> {
  const { models } = JSON.parse(await done(rheo(directory, ['model', 'ls', '--json'], { env: SERVERS })))
  const records = models as { readonly name: string; readonly version: string; readonly action: string }[]
  return records.filter(({ name, action }) => name === 'dense' && action === 'serve').map(({ version }) => version)
}
