import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { followForDense } from '../../scenarios/dense-follower.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { readModelRecords } from '../../scenarios/model-records.ts'
import { replayScenario } from '../../scenarios/replay-scenario.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { eventOf } from '../../streams/event-value.ts'
import { eventsOf, HOUR_MS, payments, runWithModels } from './model-run.ts'

const DAY_MS = 86_400_000
const STEP = 64
const [scoreCodec, outcomeCodec] = fraud.topology(1).outputs.map(({ codec }) => codec) as [Codec, Codec]

type Codec = Parameters<typeof eventOf>[1]
interface Put {
  readonly topic: string
  readonly timestampMs: number
  readonly bytes: Uint8Array
}

const idIn = (codec: Codec, bytes: Uint8Array): string =>
  (eventOf(bytes, codec) as { readonly paymentId: string }).paymentId

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
const noHosts = {
  hostOf: () => {
    throw new Error('no model runs here')
  },
}

async function publishedIn(log: EventLog): Promise<readonly string[]> {
  return (await readModelRecords(log, 'fraud')).map(({ version, sha256 }) => `${version} ${sha256}`)
}

/** What a run put out, as bytes: scores, then outcomes, each in order of time. */
async function outputsOf(log: EventLog) {
  const { outputs } = fraud.topology(1)
  return Promise.all(
    outputs.map(async ({ topic }) => {
      const { records } = await log.fetch(topic, 0, 0n, { maxRecords: 100_000, maxBytes: 1 << 30 })
      return records.map(({ value, timestampMs }) => {
        const bytes = value instanceof Uint8Array ? value : value!.bytes()
        return { topic, timestampMs, bytes }
      })
    }),
  )
}

describe('a dense model that follows a log', () => {
  it('learns from all of it, and begun again publishes nothing twice', async () => {
    const log = createMemoryLog()
    await runWithModels({ log, store: null, admissions: payments, models: [] })
    const topology = fraud.topology(1, 900_000, undefined, noHosts)
    const follow = async () => {
      const options = { scenario: fraud, log, rule: RULE, topology, clock: Date.now, settledMs: 0 }
      const follower = await followForDense(options)
      while ((await follower.advance()) > 0);
      await follower.close()
      return publishedIn(log)
    }
    const outcomes = (await eventsOf(log, 1)).length
    const first = await follow()
    expect(first).toHaveLength(Math.floor(outcomes / 64))
    expect(await follow()).toEqual(first)
  })

  it('comes to the same versions from several partitions, however late each becomes readable', async () => {
    const source = createMemoryLog()
    await runWithModels({ log: source, store: null, admissions: payments, models: [] })
    const [scores, outcomes] = (await outputsOf(source)) as [Put[], Put[]]
    const endMs = outcomes.at(-1)!.timestampMs + DAY_MS
    const topology = fraud.topology(3, 900_000, undefined, noHosts)

    /** @param lagMs how much later than its timestamp a record of a partition becomes readable, at most an hour */
    const follow = async (lagMs: readonly number[]) => {
      const log = createMemoryLog()
      await log.ensureTopics(topology.topics)
      let nowMs = scores[0]!.timestampMs
      const clock = () => nowMs
      const options = { scenario: fraud, log, rule: RULE, topology, clock, settledMs: HOUR_MS }
      const follower = await followForDense(options)
      const rest = [scores, outcomes].map((records) =>
        records.map((record, i) => ({ ...record, partition: i % 3, readableMs: record.timestampMs + lagMs[i % 3]! })),
      )
      // An outcome is in the partition of its score.
      const partitions = new Map(rest[0]!.map(({ bytes, partition }) => [idIn(scoreCodec, bytes), partition]))
      rest[1] = rest[1]!.map((put) => {
        const partition = partitions.get(idIn(outcomeCodec, put.bytes))!
        return { ...put, partition, readableMs: put.timestampMs + lagMs[partition]! }
      })
      for (; nowMs < endMs; nowMs += HOUR_MS / 4) {
        for (const [which, records] of rest.entries()) {
          for (const { topic, partition, bytes, timestampMs } of records.filter((put) => put.readableMs < nowMs)) {
            await log.append([{ topic, partition, records: [{ key: null, value: bytes, timestampMs }] }])
          }
          rest[which] = records.filter((put) => put.readableMs >= nowMs)
        }
        await follower.advance()
      }
      while ((await follower.advance()) > 0);
      await follower.close()
      return publishedIn(log)
    }
    const atOnce = await follow([0, 0, 0])
    expect(atOnce.length).toBeGreaterThan(3)
    expect(await follow([HOUR_MS, 0, HOUR_MS / 2])).toEqual(atOnce)
    expect(await follow([0, HOUR_MS - 1, 0])).toEqual(atOnce)
  })

  it('leaves publishing to the follower that was begun last', async () => {
    const log = createMemoryLog()
    await runWithModels({ log, store: null, admissions: payments, models: [] })
    const topology = fraud.topology(1, 900_000, undefined, noHosts)
    const options = { scenario: fraud, log, rule: RULE, topology, clock: Date.now, settledMs: 0 }
    const former = await followForDense(options)
    const latter = await followForDense(options)
    await expect(
      (async () => {
        while ((await former.advance()) > 0);
      })(),
    ).rejects.toMatchObject({ code: 'FENCED' })
    expect(await publishedIn(log)).toEqual([])
    while ((await latter.advance()) > 0);
    const versions = await publishedIn(log)
    expect(versions.length).toBeGreaterThan(3)
    expect(new Set(versions).size).toBe(versions.length)
    for (const follower of [former, latter]) await follower.close()
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
