import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { createRandom } from '../../processors/random.ts'
import { checkpointTopic } from '../../scenarios/dense-checkpoint.ts'
import { denseExampleCodec, examplesTopic } from '../../scenarios/dense-examples.ts'
import { createDenseLearner } from '../../scenarios/dense-learner.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { modelFilesTopic } from '../../scenarios/model-files.ts'
import { readModelRecords } from '../../scenarios/model-records.ts'
import { modelTopic } from '../../schemas/topics.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
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

describe('the training of a dense model on Kafka', () => {
  const RULE = { name: 'dense', seed: 1, batch: 16, publishEvery: 4, publishEveryMs: 0 }
  const topics = [examplesTopic('fraud'), modelFilesTopic('fraud'), { ...modelTopic('fraud'), partitions: 1 }]

  async function makeExamples(log: EventLog): Promise<void> {
    const random = createRandom(1, 0)
    const records = Array.from({ length: 400 }, (_, ms) => {
      const features = NAMES.map(() => 100 * random.float())
      const value = denseExampleCodec.encode({ features, label: ms % 3 === 0 ? 1 : 0, eventMs: ms, labelMs: ms })
      return { key: null, value, timestampMs: ms }
    })
    await log.ensureTopics(topics)
    await log.append([{ topic: topics[0]!.name, partition: 0, records }])
  }

  async function learn(log: EventLog, untilMs: number): Promise<void> {
    const learner = await createDenseLearner({ scenario: fraud, log, rule: RULE })
    while ((await learner.advance(untilMs)) > 0);
    await learner.close()
  }

  it('goes on in another process to the versions of one that never stopped, and keeps the newest checkpoint', async () => {
    const whole = createMemoryLog()
    await makeExamples(whole)
    await learn(whole, Number.POSITIVE_INFINITY)
    const prefix = uniqueName()
    const open = () => prefixed(openTestLog(), prefix)
    const first = open()
    await makeExamples(first)
    await first.close()
    for (const untilMs of [100, 150, 300, 400]) {
      const log = open()
      await learn(log, untilMs)
      await log.close()
    }
    const log = open()
    const versionsIn = async (of: EventLog) =>
      (await readModelRecords(of, 'fraud')).map(({ version, sha256 }) => `${version} ${sha256}`)
    const versions = await versionsIn(log)
    expect(versions).toHaveLength(6)
    expect(versions).toEqual(await versionsIn(whole))
    const { name: checkpoints } = checkpointTopic('fraud')
    const { start } = await log.bounds(checkpoints, 0)
    const { records } = await log.fetch(checkpoints, 0, start, { maxRecords: 100, maxBytes: 1 << 24 })
    expect(records.map(({ key }) => Buffer.from(key!).toString())).toEqual(['dense/0/2', 'dense/1/2'])
    expect((await log.bounds(topics[0]!.name, 0)).start).toBe(384n)
    await log.close()
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
