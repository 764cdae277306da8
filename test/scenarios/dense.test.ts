import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkpointTopic } from '../../scenarios/dense-checkpoint.ts'
import { denseExampleCodec, examplesTopic, withExamples } from '../../scenarios/dense-examples.ts'
import { createDenseLearner } from '../../scenarios/dense-learner.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { addModel, readModelRecords } from '../../scenarios/model-records.ts'
import { replayScenario } from '../../scenarios/replay-scenario.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import type { EventLog, LazyBytes } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { amountTrees, eventsOf, HOUR_MS, payments, runWithModels, START_MS, scoresOf, testModel } from './model-run.ts'

const DAY_MS = 86_400_000
const STEP = 64
const directory = mkdtempSync(join(tmpdir(), 'rheo-dense-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** @param dies after so many groups of slices, as if the process had been killed between two of them */
async function replayed(batchRecords: number, stateDir: string | null = null, dies = Number.POSITIVE_INFINITY) {
  const scores: Score[] = []
  let groups = 0
  const summary = await replayScenario({
    scenario: fraud,
    inputs: [],
    stream: { payments: 600, days: 12, seed: 4, world: 'drift', labelDelayMs: DAY_MS },
    sliceMs: 900_000,
    untilMs: null,
    stateDir,
    output: null,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    batchRecords,
    models: {
      given: [],
      dense: { name: 'dense', seed: 1, batch: 16, publishEvery: STEP / 16, publishEveryMs: 0 },
      provider: 'cpu',
      onFailure: (error) => {
        throw error
      },
    },
    onProgress: () => {
      if (++groups >= dies) throw new Error('died')
    },
    watch: { score: (event) => scores.push(event as Score), outcome: () => undefined },
  })
  return { summary, scores }
}

const RULE = { name: 'dense', seed: 1, batch: 16, publishEvery: 4, publishEveryMs: 0 }
const EVERYTHING = Number.POSITIVE_INFINITY

/** A log on which the payments were scored and labelled. */
async function logWithExamples(): Promise<EventLog> {
  const log = createMemoryLog()
  await runWithModels({ log, store: null, admissions: payments, models: [], extended: withExamples })
  return log
}

/** A learner of its own, as in another process; it ends without a word. */
async function learn(log: EventLog, untilMs = EVERYTHING): Promise<void> {
  const learner = await createDenseLearner({ scenario: fraud, log, rule: RULE })
  while ((await learner.advance(untilMs)) > 0);
}

async function publishedIn(log: EventLog): Promise<readonly string[]> {
  return (await readModelRecords(log, 'fraud')).map(({ version, sha256 }) => `${version} ${sha256}`)
}

/** What stands in a topic, by key. */
async function keysIn(log: EventLog, topic: string): Promise<readonly string[]> {
  const { start } = await log.bounds(topic, 0)
  const { records } = await log.fetch(topic, 0, start, { maxRecords: 1_000, maxBytes: 1 << 30 })
  return records.map(({ key }) => Buffer.from(key!).toString())
}

describe('a dense model that follows a log', () => {
  it('learns from every outcome, and begun again publishes nothing twice', async () => {
    const log = await logWithExamples()
    const outcomes = (await eventsOf(log, 1)).length
    await learn(log)
    const first = await publishedIn(log)
    expect(first.map((version) => Number(version.split(' ')[0]))).toEqual(
      Array.from({ length: Math.floor(outcomes / STEP) }, (_, i) => (i + 1) * STEP),
    )
    await learn(log)
    expect(await publishedIn(log)).toEqual(first)
  })

  it('goes on in another process from its checkpoint, to the same versions, and keeps no more than that needs', async () => {
    const [whole, parts] = [await logWithExamples(), await logWithExamples()]
    await learn(whole)
    const { name: examples } = examplesTopic('fraud')
    const { end } = await parts.bounds(examples, 0)
    const endMs = payments.at(-1)!.atMs + 2 * DAY_MS
    for (let untilMs = START_MS; untilMs < endMs; untilMs += 5 * HOUR_MS) {
      await learn(parts, untilMs)
      const learnt = (await publishedIn(parts)).length * STEP
      expect(await parts.bounds(examples, 0)).toEqual({ start: BigInt(learnt), end })
      const keys = await keysIn(parts, checkpointTopic('fraud').name)
      expect(keys).toEqual(learnt === 0 ? [] : ['dense/0/2', 'dense/1/2'])
    }
    expect(await publishedIn(parts)).toEqual(await publishedIn(whole))
  })

  it('comes to the same versions where it died before or after it wrote a checkpoint down', async () => {
    const [whole, broken] = [await logWithExamples(), await logWithExamples()]
    await learn(whole)
    const died = () => {
      throw new Error('died')
    }
    const diesBefore: EventLog = {
      ...broken,
      acquire: async (group, task) => ({ ...(await broken.acquire(group, task)), commit: died }),
    }
    const diesAfter: EventLog = { ...broken, truncate: died }
    const before = await publishedIn(whole)
    for (let versions = 1; versions <= before.length; versions++) {
      await expect(learn(diesBefore)).rejects.toThrow('died')
      await expect(learn(diesAfter)).rejects.toThrow('died')
      expect(await publishedIn(broken)).toEqual(before.slice(0, versions))
    }
    await learn(broken)
    expect(await publishedIn(broken)).toEqual(before)
  })

  it('writes a checkpoint down after so many examples, too, where no version is due', async () => {
    const log = createMemoryLog()
    const { name: topic } = examplesTopic('fraud')
    await log.ensureTopics([examplesTopic('fraud')])
    const values = Array.from({ length: 65_600 }, (_, ms) =>
      denseExampleCodec.encode({ features: [ms % 100], label: ms % 3 === 0 ? 1 : 0, eventMs: ms, labelMs: ms }),
    )
    const records = values.map((value, timestampMs) => ({ key: null, value, timestampMs }))
    await log.append([{ topic, partition: 0, records }])
    const narrow = { ...fraud, featureSet: { ...fraud.featureSet, names: ['amount'] } }
    const rule = { ...RULE, batch: 256, publishEvery: 1_000 }
    const learner = await createDenseLearner({ scenario: narrow, log, rule })
    while ((await learner.advance(EVERYTHING)) > 0);
    await learner.close()
    expect(await readModelRecords(log, 'fraud')).toEqual([])
    expect(await keysIn(log, checkpointTopic('fraud').name)).toEqual(['dense/0/1'])
    expect(await log.bounds(topic, 0)).toEqual({ start: 65_536n, end: 65_600n })
  })

  it('leaves publishing to the learner that was begun last', async () => {
    const log = await logWithExamples()
    const former = await createDenseLearner({ scenario: fraud, log, rule: RULE })
    const latter = await createDenseLearner({ scenario: fraud, log, rule: RULE })
    await expect(former.advance(EVERYTHING)).rejects.toMatchObject({ code: 'FENCED' })
    expect(await publishedIn(log)).toEqual([])
    while ((await latter.advance(EVERYTHING)) > 0);
    const versions = await publishedIn(log)
    expect(versions.length).toBeGreaterThan(3)
    expect(new Set(versions).size).toBe(versions.length)
    for (const learner of [former, latter]) await learner.close()
  })

  it('that has no checkpoint publishes only once it has learnt from more than the last version had', async () => {
    const log = await logWithExamples()
    await addModel(log, 'fraud', testModel(String(3 * STEP), amountTrees(0, 1), 0, 'dense'), 0)
    await learn(log)
    const [given, first] = await readModelRecords(log, 'fraud')
    expect([given, first].map((record) => record?.version)).toEqual([String(3 * STEP), String(4 * STEP)])
  })
})

describe('the examples of a topology', () => {
  it('are the features of the scores that got a label, and the label, in the order in which labels became known', async () => {
    const log = await logWithExamples()
    const scores = new Map((await scoresOf(log)).map((score) => [score.paymentId, score]))
    const expected = (await eventsOf(log, 1)).map((event) => {
      const { paymentId, fraud: label, eventTime, labelTime } = event as Outcome
      const { features } = scores.get(paymentId)!
      return {
        features: Float32Array.from(fraud.featureSet.names, (name) => features[name] ?? Number.NaN),
        label: label ? 1 : 0,
        eventMs: eventTime,
        labelMs: labelTime,
      }
    })
    const { records } = await log.fetch(examplesTopic('fraud').name, 0, 0n, { maxRecords: 1_000, maxBytes: 1 << 30 })
    const found = records.map(({ value }) => denseExampleCodec.decode((value as LazyBytes).bytes()))
    expect(found).toEqual(expected)
  })
})

describe('a dense model that learns during a replay', () => {
  it('is swapped in version by version without a gap, and gives the same scores again', async () => {
    const first = await replayed(1_000)
    expect(first.summary.flow.balanced).toBe(true)
    const { evaluation, roles } = first.summary.models!
    expect(evaluation.arms.map(({ name }, i) => `${name}: ${roles[i]}`)).toEqual([
      'ftrl: the online model alone',
      'selfOptimising: all of them blended',
      'dense: a model alone',
      'frozen: an arm of the scenario',
    ])
    const versions = first.scores.map(({ modelName }) => Number(/^ftrl\+dense@(\d+)$/.exec(modelName)?.[1] ?? 0))
    expect(versions.every((version, i) => version % STEP === 0 && version >= (versions[i - 1] ?? 0))).toBe(true)
    expect(new Set(versions).size).toBeGreaterThan(2)
    expect(first.scores.every(({ degraded }) => !degraded)).toBe(true)
    expect((await replayed(1_000)).scores).toEqual(first.scores)
  })

  it('goes on after it was interrupted as if it had not been', async () => {
    const unbroken = await replayed(1_000)
    const state = join(directory, 'broken')
    for (const dies of [90, 120]) await expect(replayed(1_000, state, dies)).rejects.toThrow('died')
    const { scores } = await replayed(1_000, state)
    expect(scores.map((score) => JSON.stringify(score))).toEqual(unbroken.scores.map((score) => JSON.stringify(score)))
  })

  it('never scores an event that it was trained on', async () => {
    const { scores } = await replayed(500)
    const known = new Map<number, number>()
    for (const { modelName, eventTime } of scores) {
      const version = Number(/@(\d+)$/.exec(modelName)?.[1] ?? 0)
      if (!known.has(version)) known.set(version, eventTime)
    }
    for (const [version, firstMs] of known) {
      const labelled = scores.filter(({ eventTime }) => eventTime + DAY_MS <= firstMs)
      expect(labelled.length).toBeGreaterThanOrEqual(version)
    }
  })
})
