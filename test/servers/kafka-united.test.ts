import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Appends, EventLog, TaskWriter } from '../../streams/event-log/event-log.ts'
import { codeOf, readAll } from '../event-log/harness.ts'
import { CLIENTS, needBroker, openTestLog, prefixed, uniqueName } from './kafka-broker.ts'

const OWN = 'stage'
const OUT = 'out'
const LIMITS = { maxRecords: 100, maxBytes: 2 ** 20 }
const spec = { partitions: 2, cleanup: 'delete', retentionMs: null, maxRecordBytes: 100_000 } as const

const record = (text: string) => ({ key: null, value: Buffer.from(text), timestampMs: 5.7 })
const to = (topic: string, partition: number, ...texts: string[]): Appends => ({
  topic,
  partition,
  records: texts.map(record),
})
const textsOf = (records: readonly { readonly value: unknown }[]) =>
  records.map(({ value }) => Buffer.from(value as Uint8Array).toString())

beforeAll(() => needBroker())

describe.each(CLIENTS)('united tasks, by %s', (client) => {
  let prefix: string
  let log: EventLog
  let other: EventLog
  let tasks: TaskWriter[]

  beforeEach(async () => {
    prefix = uniqueName()
    log = prefixed(openTestLog({}, client), prefix)
    other = prefixed(openTestLog({}, client), prefix)
    await log.ensureTopics([OWN, OUT].map((name) => ({ name, ...spec })))
    tasks = [await log.acquire('g', '0'), await log.acquire('g', '1')]
  })
  afterEach(async () => {
    await log.close()
    await other.close()
  })

  const unite = () => log.unite!('g', [OWN])
  const openAnew = async () => {
    tasks[1] = await log.acquire('g', '1')
  }
  /** Runs work outside of any bracket: in the context of the test file. */
  const outside = AsyncLocalStorage.snapshot()
  /** What both partitions of a topic hold, as another process reads it. */
  const seen = async (topic: string) => [
    ...textsOf(await readAll(other, topic, 0)),
    ...textsOf(await readAll(other, topic, 1)),
  ]

  test('what is appended to own topics is read within the bracket, at the offsets that others find it at', async () => {
    expect(await unite()).toBe(true)
    let next = 0n
    const offsets: bigint[] = []
    for (const turn of ['a', 'b', 'c']) {
      await log.together(async () => {
        await tasks[1]!.commit({ appends: [to(OWN, 0, `${turn}1`, `${turn}2`)], positions: [] })
        const read = await log.fetch(OWN, 0, next, LIMITS)
        expect(textsOf(read.records)).toEqual([`${turn}1`, `${turn}2`])
        expect(read.records.map(({ timestampMs }) => timestampMs)).toEqual([5, 5])
        offsets.push(...read.records.map(({ offset }) => offset))
        next = read.next
        await tasks[0]!.commit({
          appends: [to(OUT, 1, `${turn}!`)],
          positions: [{ topic: OWN, partition: 0, next }],
        })
      })
    }
    expect((await readAll(other, OWN, 0)).map(({ offset }) => offset)).toEqual(offsets)
    await expect.poll(() => seen(OUT)).toEqual(['a!', 'b!', 'c!'])
    expect(await other.committed('g', OWN, 0)).toBe(next)
  })

  test('what one bracket has not read, the next one does; from before the union, too', async () => {
    await tasks[0]!.commit({ appends: [to(OWN, 1, 'before')], positions: [] })
    await unite()
    const found: string[] = []
    let next = 0n
    for (let turn = 0; found.length < 6; turn++) {
      await log.together(async () => {
        if (turn < 5) await tasks[0]!.commit({ appends: [to(OWN, 1, `${turn}`)], positions: [] })
        const read = await log.fetch(OWN, 1, next, { ...LIMITS, maxRecords: 1 })
        found.push(...textsOf(read.records))
        next = read.next
      })
    }
    expect(found).toEqual(['before', '0', '1', '2', '3', '4'])
    await expect.poll(() => seen(OWN)).toEqual(found)
  })

  test('who acquires a task ends the union: the bracket under way changes nothing, and each task hears who has it', async () => {
    await unite()
    let taken: TaskWriter | null = null
    const bracket = log.together(async () => {
      await tasks[0]!.commit({ appends: [to(OUT, 0, 'lost')], positions: [{ topic: OWN, partition: 0, next: 7n }] })
      taken = await other.acquire('g', '1')
    })
    expect(await codeOf(() => bracket)).toBe('LOG_UNAVAILABLE')
    await expect.poll(() => seen(OUT)).toEqual([])
    expect(await other.committed('g', OWN, 0)).toBeUndefined()
    expect(await codeOf(() => tasks[1]!.commit({ appends: [], positions: [] }))).toBe('FENCED')
    await tasks[0]!.commit({ appends: [to(OUT, 0, 'kept')], positions: [] })
    await taken!.commit({ appends: [to(OUT, 1, 'taken')], positions: [] })
    await expect.poll(() => seen(OUT)).toEqual(['kept', 'taken'])
  })

  test('a task that is acquired anew here ends the union, in the middle of a bracket too: nothing of it is left out', async () => {
    await unite()
    const bracket = log.together(async () => {
      await tasks[0]!.commit({ appends: [to(OUT, 0, 'before')], positions: [] })
      await new Promise<void>((resolve, reject) => {
        outside(() => openAnew().then(resolve, reject))
      })
      await tasks[0]!.commit({ appends: [to(OUT, 0, 'after')], positions: [] })
    })
    expect(await codeOf(() => bracket)).toBe('LOG_UNAVAILABLE')
    await expect.poll(() => seen(OUT)).toEqual([])
    expect(await codeOf(() => log.together(() => undefined))).toBe('LOG_UNAVAILABLE')
    expect(await unite()).toBe(true)
    await log.together(() => tasks[0]!.commit({ appends: [to(OUT, 0, 'again')], positions: [] }))
    await expect.poll(() => seen(OUT)).toEqual(['again'])
  })

  test('tasks of which one was taken before cannot be united', async () => {
    await other.acquire('g', '0')
    expect(await unite()).toBe(false)
    await log.together(() => tasks[1]!.commit({ appends: [to(OUT, 0, 'alone')], positions: [] }))
    await expect.poll(() => seen(OUT)).toEqual(['alone'])
  })

  test('where another has written to an own topic nothing of the bracket happens', async () => {
    await unite()
    await other.append([to(OWN, 0, 'foreign')])
    const bracket = log.together(() =>
      tasks[0]!.commit({ appends: [to(OWN, 0, 'mine'), to(OUT, 0, 'lost')], positions: [] }),
    )
    expect(await codeOf(() => bracket)).toBe('LOG_UNAVAILABLE')
    await expect.poll(() => seen(OWN)).toEqual(['foreign'])
    await expect.poll(() => seen(OUT)).toEqual([])
  })

  test('a record that the topic does not take is refused by name, and nothing of the bracket happens', async () => {
    await unite()
    const bracket = log.together(() =>
      tasks[0]!.commit({ appends: [to(OUT, 0, 'lost'), to(OUT, 1, 'x'.repeat(100_001))], positions: [] }),
    )
    expect(await codeOf(() => bracket)).toBe('RECORD_TOO_LARGE')
    expect(await seen(OUT)).toEqual([])
  })

  test('work that throws ends the union, and nothing of it happens; what is beside it does', async () => {
    await unite()
    let beside: Promise<unknown> = Promise.resolve()
    const begin = Promise.withResolvers<void>()
    const outside = begin.promise.then(() => {
      beside = Promise.resolve(tasks[1]!.commit({ appends: [to(OUT, 1, 'beside')], positions: [] }))
      return beside
    })
    const bracket = log.together(async () => {
      await tasks[0]!.commit({ appends: [to(OUT, 0, 'lost')], positions: [] })
      begin.resolve()
      await outside
      throw new RangeError('no')
    })
    await expect(bracket).rejects.toThrow('no')
    await expect.poll(() => seen(OUT)).toEqual(['beside'])
    await tasks[0]!.commit({ appends: [to(OUT, 0, 'later')], positions: [] })
    await expect.poll(() => seen(OUT)).toEqual(['later', 'beside'])
  })

  test('apart again, each task commits by itself, and reads what was not read', async () => {
    await unite()
    await log.together(() => tasks[0]!.commit({ appends: [to(OWN, 0, 'unread')], positions: [] }))
    expect(await log.unite!('g', null)).toBe(false)
    expect(textsOf((await log.fetch(OWN, 0, 0n, LIMITS)).records)).toEqual(['unread'])
    await tasks[0]!.commit({ appends: [to(OUT, 0, 'x')], positions: [{ topic: OWN, partition: 0, next: 1n }] })
    await expect.poll(() => other.committed('g', OWN, 0)).toBe(1n)
  })
})
