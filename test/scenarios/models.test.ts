import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { sigmoid } from '../../processors/learners/sigmoid.ts'
import { modelLogit } from '../../processors/learners/stacker.ts'
import type { NewModel } from '../../scenarios/model-records.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { Tree } from '../gpu/tree-models.ts'
import { outputHash, runReplay } from '../streams/fraud-stream.ts'
import {
  amountTrees,
  eventsOf,
  HOUR_MS,
  payments,
  runWithModels,
  START_MS,
  scoresOf,
  testModel,
  withRecords,
} from './model-run.ts'

const first = testModel('1', amountTrees(0.25, 0.75), START_MS + 48 * HOUR_MS)
const second = testModel('2', amountTrees(0.125, 0.5), START_MS + 120 * HOUR_MS)

async function run(models: readonly NewModel[], there: readonly NewModel[] = models, batchRecords = 1_000) {
  const log = createMemoryLog()
  const admissions = withRecords(models.map(({ record }) => record))
  const { failures } = await runWithModels({ log, store: null, admissions, models: there, batchRecords })
  const outcomes = (await eventsOf(log, 1)) as Outcome[]
  return { log, failures, scores: await scoresOf(log), outcomes }
}

const scored = ({ modelName }: Score): string => modelName
const count = payments.filter(({ topic }) => topic.includes('payments')).length

describe('a topology that takes models in', () => {
  it('gives, without any model, what one without that part gives', async () => {
    const [plain, ready] = [createMemoryLog(), createMemoryLog()]
    await runReplay({ log: plain, store: null, admissions: payments })
    await runWithModels({ log: ready, store: null, admissions: payments, models: [] })
    expect(await outputHash(ready)).toBe(await outputHash(plain))
  })
})

describe('a model, from its record on', () => {
  let result: Awaited<ReturnType<typeof run>>
  beforeAll(async () => {
    result = await run([first, second])
  })

  it('scores every event under its name and version, without a gap', () => {
    const { scores } = result
    expect(scores).toHaveLength(count)
    for (const score of scores) {
      const version = score.eventTime >= second.record.eventTime ? 2 : score.eventTime >= first.record.eventTime ? 1 : 0
      expect(scored(score)).toBe(version === 0 ? 'ftrl' : `ftrl+trees@${version}`)
      expect(score.degraded).toBe(false)
      expect(Object.keys(score.challengers)).toEqual(version === 0 ? ['frozen'] : ['frozen', 'ftrl', 'trees'])
    }
    expect(new Set(scores.map(scored)).size).toBe(3)
  })

  it('says, before labels calibrate it, what its trees say', () => {
    const early = result.scores.filter(
      ({ eventTime }) => eventTime >= first.record.eventTime && eventTime < first.record.eventTime + 12 * HOUR_MS,
    )
    expect(early.length).toBeGreaterThan(5)
    for (const { challengers, features } of early)
      expect(challengers['trees']).toBe(sigmoid(modelLogit(features['amount']! > 60 ? 0.75 : 0.25)))
  })

  it('leaves the champion to the online model until labels say otherwise, and then takes part in it', () => {
    const withModel = result.scores.filter(({ eventTime }) => eventTime >= first.record.eventTime)
    expect(withModel[0]!.probability).toBe(withModel[0]!.challengers['ftrl'])
    expect(withModel.at(-1)!.probability).not.toBe(withModel.at(-1)!.challengers['ftrl'])
  })

  it('is in the outcomes, with a threshold of its own', () => {
    const outcomes = result.outcomes.filter(({ eventTime }) => eventTime >= first.record.eventTime)
    expect(outcomes.length).toBeGreaterThan(100)
    for (const { challengers } of outcomes) expect(Object.keys(challengers)).toEqual(['frozen', 'ftrl', 'trees'])
  })

  it('gives the same bytes however batches are cut', async () => {
    const expected = await outputHash(result.log)
    for (const batchRecords of [1, 7, 100]) {
      expect(await outputHash((await run([first, second], undefined, batchRecords)).log)).toBe(expected)
    }
  })

  it('goes on after a crash anywhere to the same scores', async () => {
    const expected = await outputHash(result.log)
    const admissions = withRecords([first.record, second.record])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: admissions.length }), { maxLength: 3 }), async (deaths) => {
        const [log, store] = [createMemoryLog(), createMemoryStateStore()]
        for (const diesAfter of deaths) {
          const dying = runWithModels({ log, store, admissions, models: [first, second], diesAfter })
          await dying.catch((error: Error) => expect(error.message).toBe('died'))
        }
        await runWithModels({ log, store, admissions, models: [first, second] })
        expect(await outputHash(log)).toBe(expected)
      }),
      { numRuns: 6 },
    )
  })

  it('scores no more once it is withdrawn', async () => {
    const withdrawn = { ...first.record, action: 'withdraw', eventTime: START_MS + 100 * HOUR_MS } as const
    const log = createMemoryLog()
    const admissions = withRecords([first.record, withdrawn])
    await runWithModels({ log, store: null, admissions, models: [first] })
    const scores = await scoresOf(log)
    expect(scores).toHaveLength(count)
    const names = scores.map(scored)
    const [from, until] = [names.indexOf('ftrl+trees@1'), names.lastIndexOf('ftrl+trees@1')]
    expect(from).toBeGreaterThan(0)
    expect(scores[until]!.eventTime).toBeLessThan(withdrawn.eventTime)
    expect(names.slice(until + 1).every((name) => name === 'ftrl')).toBe(true)
  })
})

describe('a model that is broken', () => {
  const notANumber: readonly Tree[] = amountTrees(0.25, Number.NaN)
  const laterMs = second.record.eventTime
  const broken = { nan: testModel('2', notANumber, laterMs), two: testModel('2', amountTrees(0.5, 2), laterMs) }

  it.each(['nan', 'two'] as const)(
    '%s: loses no event; the version before it answers, and the score says so',
    async (kind) => {
      const { scores, failures } = await run([first, broken[kind]])
      expect(scores).toHaveLength(count)
      expect(failures.map(({ code }) => code)).toEqual(['MODEL_INVALID'])
      const after = scores.filter(({ eventTime }) => eventTime >= laterMs)
      const stoodIn = after.filter(({ degraded }) => degraded)
      expect(stoodIn.length).toBeGreaterThan(50)
      for (const score of stoodIn) expect(scored(score)).toBe('ftrl+trees@1')
      for (const score of after.filter(({ degraded }) => !degraded)) expect(scored(score)).toBe('ftrl+trees@2')
    },
  )

  it('leaves everything to the online model where there is no version before it', async () => {
    const { scores, failures } = await run([testModel('2', amountTrees(Number.NaN, Number.NaN), laterMs)])
    expect(failures.map(({ code }) => code)).toEqual(['MODEL_INVALID'])
    expect(scores).toHaveLength(count)
    const after = scores.filter(({ eventTime }) => eventTime >= laterMs)
    expect(after.length).toBeGreaterThan(50)
    for (const score of after) {
      expect({ name: scored(score), degraded: score.degraded }).toEqual({ name: 'ftrl', degraded: true })
      expect(score.probability).toBe(score.challengers['ftrl'])
    }
  })

  it('may have lost its file: the version before it goes on', async () => {
    const { scores, failures } = await run([first, second], [first])
    expect(failures.map(({ code }) => code)).toEqual(['MODEL_INVALID'])
    for (const score of scores.filter(({ eventTime }) => eventTime >= laterMs)) {
      expect({ name: scored(score), degraded: score.degraded }).toEqual({ name: 'ftrl+trees@1', degraded: true })
    }
    expect(scores).toHaveLength(count)
  })
})
