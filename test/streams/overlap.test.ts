import { setTimeout as sleep, setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { runLive } from '../../streams/run-live.ts'
import { Task } from '../../streams/run-task.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import type { Point } from '../simulation/faulty-log.ts'
import { lateModels } from '../simulation/late-models.ts'
import { type Order, saidAbout, type TinyScore, tinyTopics, tinyTopology } from '../simulation/tiny-topology.ts'
import { recordsOf } from '../simulation/twin.ts'

const BATCH = 2
const [INTAKE, A, B] = [0, 1, 2]
const plain = tinyTopology(1, 'ignored')

let log: EventLog
let store: StateStore
/** What models are being asked; calling one answers it. */
let questions: ((answer: 'go on' | 'fail') => void)[]

const scripted: Point = () => new Promise((answer) => questions.push(answer))
const topologyWith = (point: Point) => lateModels(plain, point, () => () => undefined)

beforeEach(async () => {
  log = createMemoryLog()
  store = createMemoryStateStore()
  questions = []
  await log.ensureTopics(plain.topics)
})

const start = (batchRecords = BATCH): Promise<Task> =>
  Task.start(topologyWith(scripted), 0, log, store, { clock: () => 0, batchRecords, pending: null })

async function produce(...numbers: number[]): Promise<void> {
  const records = numbers.map((number) => {
    const order: Order = { id: `o${number}`, a: 'a', b: 'b', timeMs: number }
    return { key: Buffer.from('a'), value: Buffer.from(JSON.stringify(order)), timestampMs: number }
  })
  await log.append([{ topic: tinyTopics.orders, partition: 0, records }])
}

/** The orders that are scored, in order; each as its model and its state say. */
async function scored(): Promise<string[]> {
  const scores = (await recordsOf(log, tinyTopics.scores, 0)).map(({ value }) => {
    const bytes = value instanceof Uint8Array ? value : value!.bytes()
    return JSON.parse(Buffer.from(bytes).toString()) as TinyScore
  })
  for (const { id, version, said } of scores) expect(said).toBe(saidAbout(id, version))
  expect(scores.map(({ countB }) => countB)).toEqual(scores.map((_, i) => i + 1))
  return scores.map(({ id }) => id)
}

/** Two orders come as far as the models, which have them now. */
async function ask(task: Task, one: number, other: number): Promise<void> {
  await produce(one, other)
  for (const turn of [INTAKE, A]) await task.turn(turn)
  expect(await task.turn(B)).toBe(BATCH)
}

/** Turns until nothing is left, with models that answer at the next turn of the event loop. */
async function drain(task: Task): Promise<void> {
  for (let folded = 1; folded > 0; ) {
    folded = 0
    for (let turn = 0; turn < task.stageCount; turn++) {
      const taking = task.turn(turn)
      await turnOfTheLoop()
      for (const answer of questions.splice(0)) answer('go on')
      folded += await taking
    }
  }
}

describe('a batch that models have, where there is much to do', () => {
  it('is folded and committed by the next turn, which asks about the batch behind it', async () => {
    const task = await start()
    await ask(task, 1, 2)
    expect(await scored()).toEqual([])
    await produce(3, 4)
    for (const turn of [INTAKE, A]) expect(await task.turn(turn)).toBe(BATCH)
    questions.shift()!('go on')
    expect(await task.turn(B)).toBe(BATCH)
    expect(await scored()).toEqual(['o1', 'o2'])
    expect(questions).toHaveLength(1)
    questions.shift()!('go on')
    expect(await task.turn(B)).toBe(BATCH)
    expect(await task.turn(B)).toBe(0)
    expect(await scored()).toEqual(['o1', 'o2', 'o3', 'o4'])
  })

  it('is waited for by the next turn', async () => {
    const task = await start()
    await ask(task, 1, 2)
    const turn = task.turn(B)
    await turnOfTheLoop()
    expect(await scored()).toEqual([])
    questions.shift()!('go on')
    expect(await turn).toBe(BATCH)
    expect(await scored()).toEqual(['o1', 'o2'])
  })

  it('counts as work of a round that finds nothing else, and is folded by the next', async () => {
    const task = await start()
    await produce(1, 2)
    for (let rounds = 0; rounds < 3; rounds++) expect(await task.round()).toBe(BATCH)
    questions.shift()!('go on')
    expect(await task.round()).toBe(BATCH)
    expect(await scored()).toEqual(['o1', 'o2'])
  })

  it('is no part of a flush meanwhile, and is asked about again after it', async () => {
    const first = await start()
    await ask(first, 1, 2)
    await first.flush()
    const { positions } = await store.acquire('tiny-0')
    expect(positions.get('tiny.stage-a')).toBe((await log.bounds('tiny.stage-a', 0)).end)
    expect(positions.get('tiny.stage-b')).toBe(0n)
    const second = await start()
    await drain(second)
    expect(await scored()).toEqual(['o1', 'o2'])
  })

  it('is asked about again by who takes the task over; the former owner is refused when it comes to commit', async () => {
    const former = await start()
    await ask(former, 1, 2)
    const [late] = questions.splice(0)
    const owner = await start()
    expect(await owner.turn(B)).toBe(BATCH)
    late!('go on')
    await expect(former.turn(B)).rejects.toMatchObject({ code: 'FENCED' })
    await drain(owner)
    expect(await scored()).toEqual(['o1', 'o2'])
  })

  it('fails the turn that waits for it where its models fail, and is tried again by who starts there', async () => {
    const first = await start()
    await ask(first, 1, 2)
    questions.shift()!('fail')
    await turnOfTheLoop()
    await expect(first.turn(B)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true })
    await drain(await start())
    expect(await scored()).toEqual(['o1', 'o2'])
  })

  it('may be dropped with its task, and fail after it', async () => {
    await ask(await start(), 1, 2)
    questions.shift()!('fail')
    await turnOfTheLoop()
    await drain(await start())
    expect(await scored()).toEqual(['o1', 'o2'])
  })
})

it('waits for models in the same turn where there is little to do', async () => {
  const task = await start(100)
  await produce(1, 2)
  for (const turn of [INTAKE, A]) await task.turn(turn)
  const turn = task.turn(B, Number.POSITIVE_INFINITY, 97)
  await turnOfTheLoop()
  questions.shift()!('go on')
  expect(await turn).toBe(2)
  expect(await scored()).toEqual(['o1', 'o2'])
})

it('leaves a smaller batch with models where its pass has much to do', async () => {
  const task = await start(100)
  await produce(1, 2)
  for (const turn of [INTAKE, A]) await task.turn(turn)
  expect(await task.turn(B, Number.POSITIVE_INFINITY, 98)).toBe(2)
  expect(await scored()).toEqual([])
})

describe.each(['pass', 'round'] as const)('a live run with commits per %s', (commitPer) => {
  const run = (point: Point, signal: AbortSignal, onRetry = () => undefined): Promise<void> =>
    runLive({
      topology: topologyWith(point),
      log,
      store,
      signal,
      clock: Date.now,
      batchRecords: BATCH,
      commitPer,
      idleMs: 60_000,
      onRetry,
    })

  it('does not end before models have answered and the answers are folded', async () => {
    await produce(1, 2, 3, 4, 5)
    await run(() => sleep(5, 'go on'), AbortSignal.abort())
    expect(await scored()).toEqual(['o1', 'o2', 'o3', 'o4', 'o5'])
    const { positions } = await store.acquire('tiny-0')
    expect(positions.get('tiny.stage-b')).toBe((await log.bounds('tiny.stage-b', 0)).end)
  })

  it('starts again from its checkpoint where an answer fails', async () => {
    await produce(1, 2, 3, 4, 5)
    let asked = 0
    let retries = 0
    await run(
      () => sleep(5, ++asked === 2 ? 'fail' : 'go on'),
      AbortSignal.abort(),
      () => {
        retries++
      },
    )
    expect(retries).toBe(1)
    expect(await scored()).toEqual(['o1', 'o2', 'o3', 'o4', 'o5'])
  })
})
