import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { followForDense } from '../../scenarios/dense-follower.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { readModelRecords } from '../../scenarios/model-records.ts'
import { replayScenario } from '../../scenarios/replay-scenario.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { eventsOf, payments, runWithModels } from './model-run.ts'

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
      dense: { name: 'dense', seed: 1, batch: 16, publishEvery: STEP / 16 },
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

describe('a dense model that follows a log', () => {
  it('learns from all of it, and begun again publishes nothing twice', async () => {
    const log = createMemoryLog()
    await runWithModels({ log, store: null, admissions: payments, models: [] })
    const topology = fraud.topology(1, 900_000, undefined, {
      hostOf: () => {
        throw new Error('no model runs here')
      },
    })
    const follow = async () => {
      const rule = { name: 'dense', seed: 1, batch: 16, publishEvery: 4 }
      const follower = await followForDense({ scenario: fraud, log, rule }, topology)
      for (let pass = 0; pass < 10; pass++) await follower.advance()
      await follower.close()
      return (await readModelRecords(log, 'fraud')).map(({ version, sha256 }) => `${version} ${sha256}`)
    }
    const outcomes = (await eventsOf(log, 1)).length
    const first = await follow()
    expect(first).toHaveLength(Math.floor(outcomes / 64))
    expect(await follow()).toEqual(first)
  })
})

describe('a dense model that learns during a replay', () => {
  it('is swapped in version by version without a gap, and gives the same scores again', async () => {
    const first = await replayed(1_000)
    expect(first.summary.flow.balanced).toBe(true)
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
