import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { RheoError } from '../../schemas/errors.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { partitionOf } from '../../streams/partition.ts'
import { Task } from '../../streams/run-task.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { ensureTopics, outputHash, runReplay, SLICE_MS, spoiledStream, storedState } from './fraud-stream.ts'

const { admissions } = spoiledStream(600, 40)
const topology = fraud.topology(1, SLICE_MS)

/** So small that a flush has dozens of parts. */
const PART_BYTES = 10_000

interface Ended {
  readonly outputs: string
  readonly state: Record<string, string>
}

async function ended(log: EventLog, store: StateStore): Promise<Ended> {
  return { outputs: await outputHash(log), state: await storedState(store) }
}

describe('a replay that dies between its commits and its next flush', () => {
  let unbroken: Ended
  /** Other batches cut other blocks, so that positions on stage topics may differ. */
  const withoutPositions = ({ outputs, state }: Ended): Ended => ({ outputs, state: { ...state, positions: '' } })

  beforeAll(async () => {
    const [log, store] = [createMemoryLog(), createMemoryStateStore()]
    await runReplay({ log, store, admissions })
    unbroken = withoutPositions(await ended(log, store))
  })

  test('goes on to the same outputs and the same state, wherever it died and whatever was flushed', async () => {
    const place = fc.integer({ min: 0, max: admissions.length })
    const batch = fc.constantFrom(3, 50, 1_000)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.boolean(), batch), { maxLength: 4 }), async (calls) => {
        const [log, store] = [createMemoryLog(), createMemoryStateStore()]
        for (const [at, dies, batchRecords] of calls) {
          const run = runReplay(
            dies
              ? { log, store, admissions, batchRecords, diesAfter: at }
              : { log, store, admissions: cutAtSlice(at), batchRecords },
          )
          if (dies) await run.catch((error: Error) => expect(error.message).toBe('died'))
          else await run
        }
        await runReplay({ log, store, admissions })
        expect(withoutPositions(await ended(log, store))).toEqual(unbroken)
      }),
      { numRuns: 8 },
    )
  })
})

/** The first admissions up to a slice's end: a replay that ends there flushes, and a longer input goes on after it. */
function cutAtSlice(at: number): typeof admissions {
  const number = Math.floor((admissions[at]?.atMs ?? 0) / SLICE_MS)
  return admissions.filter(({ atMs }, i) => i < at && Math.floor(atMs / SLICE_MS) !== number)
}

/**
 * Turns one after the other, round and round over stages and tasks, as the live loop takes them: everything is admitted
 * already, and a turn is one commit. Before some turns a task's state is flushed, or a part of it, before others
 * it dies and another takes over.
 */
async function turns(partitions: number, before: readonly ('flush' | 'part of a flush' | 'die' | 'nothing')[]) {
  const [log, store] = [createMemoryLog(), createMemoryStateStore()]
  const topology = fraud.topology(partitions, SLICE_MS)
  await ensureTopics(log, topology)
  for (const { atMs, topic, key, value, headers } of admissions) {
    const record = { key: Buffer.from(key!), value, timestampMs: atMs, headers: headers ?? {} }
    await log.append([{ topic, partition: partitionOf(key!, partitions), records: [record] }])
  }
  const start = (number: number): Promise<Task> =>
    Task.start(topology, number, log, store, { clock: () => 0, batchRecords: 40, pending: null })
  const tasks: Task[] = []
  for (let number = 0; number < partitions; number++) tasks.push(await start(number))
  const round = tasks.flatMap(({ stageCount }, number) =>
    Array.from({ length: stageCount }, (_, turn) => [turn, number]),
  )
  round.sort(([a], [b]) => a! - b!)
  let taken = 0
  for (let idle = 0; idle < round.length; taken++) {
    const [turn, number] = round[taken % round.length] as [number, number]
    const happens = before[taken] ?? 'nothing'
    if (happens === 'flush') await tasks[number]!.flush()
    if (happens === 'part of a flush') await tasks[number]!.flushPart(PART_BYTES)
    if (happens === 'die') tasks[number] = await start(number)
    const folded = await tasks[number]!.turn(turn)
    idle = folded > 0 ? 0 : idle + 1
  }
  const states: Record<string, string>[] = []
  for (const task of tasks) {
    await task.flush()
    states.push(await storedState(store, task.number))
  }
  return { taken, outputs: await outputHash(log, partitions), states }
}

describe('a task that dies between any two commits', () => {
  test.each([1, 3])(
    'emits nothing twice, and its state comes to stand where it would have, on %i partitions',
    async (partitions) => {
      const { taken, ...unbroken } = await turns(partitions, [])
      expect(taken).toBeGreaterThan(50)
      const happenings = fc.array(
        fc.oneof(
          { weight: 30, arbitrary: fc.constant('nothing' as const) },
          { weight: 2, arbitrary: fc.constant('flush' as const) },
          { weight: 30, arbitrary: fc.constant('part of a flush' as const) },
          { weight: 2, arbitrary: fc.constant('die' as const) },
        ),
        { minLength: taken, maxLength: taken },
      )
      await fc.assert(
        fc.asyncProperty(happenings, async (before) => {
          const { taken: _, ...broken } = await turns(partitions, before)
          expect(broken).toEqual(unbroken)
        }),
        { numRuns: 8 },
      )
    },
  )

  test('a flush that is never whole leaves the state where it was, and one in parts between all turns changes nothing', async () => {
    const { taken, ...unbroken } = await turns(1, [])
    const parts = Array.from({ length: taken }, () => 'part of a flush' as const)
    const { taken: _, ...inParts } = await turns(1, parts)
    expect(inParts).toEqual(unbroken)
    const { taken: __, ...torn } = await turns(
      1,
      parts.map((part, i) => (i % 7 === 6 ? 'die' : part)),
    )
    expect(torn).toEqual(unbroken)
  })

  test('dying before every single turn, with a flush before every fifth, changes nothing', async () => {
    const { taken, ...unbroken } = await turns(1, [])
    const always = Array.from({ length: taken }, (_, i) => (i % 5 === 4 ? ('flush' as const) : ('die' as const)))
    const { taken: _, ...broken } = await turns(1, always)
    expect(broken).toEqual(unbroken)
  })
})

describe('log and state that do not belong together', () => {
  const start = (log: EventLog, store: StateStore): Promise<Task> =>
    Task.start(topology, 0, log, store, { clock: () => 0, batchRecords: 40, pending: null })

  test('a lost state store is named, with what to do, once the log has dropped what the state contained', async () => {
    const [log, store] = [createMemoryLog(), createMemoryStateStore()]
    await runReplay({ log, store, admissions })
    const failure = await start(log, createMemoryStateStore()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RheoError)
    const hint = expect.stringContaining('delete the state')
    expect(failure).toMatchObject({ code: 'STORAGE_CORRUPT', retryable: false, hint })
  })

  test('a lost state store is rebuilt while the log still holds everything', async () => {
    const [log, store, later] = [createMemoryLog(), createMemoryStateStore(), createMemoryStateStore()]
    await runReplay({ log, store, admissions, diesAfter: 500 }).catch((error: Error) => error)
    await runReplay({ log, store: later, admissions })
    const [whole, wholeStore] = [createMemoryLog(), createMemoryStateStore()]
    await runReplay({ log: whole, store: wholeStore, admissions })
    expect(await ended(log, later)).toEqual(await ended(whole, wholeStore))
  })

  test('a lost log is named too', async () => {
    const store = createMemoryStateStore()
    await runReplay({ log: createMemoryLog(), store, admissions })
    const log = createMemoryLog()
    await ensureTopics(log, topology)
    // A log without any position may be one whose brokers do not tell it yet.
    await expect(start(log, store)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', retryable: true })
  })
})
