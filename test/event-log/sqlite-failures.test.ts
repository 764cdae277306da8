import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RheoError } from '../../schemas/errors.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import { codeOf, record, TOPIC, topicSpec, values } from './harness.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-failures-'))
  file = join(directory, 'log.db')
})
afterEach(() => rmSync(directory, { recursive: true }))

const adds = (value: string) => [{ topic: TOPIC, partition: 0, records: [record(value)] }]
const large = (value: string) => value.repeat(90_000)

function caught(work: () => unknown): RheoError {
  try {
    work()
  } catch (error) {
    if (error instanceof RheoError) return error
    throw error
  }
  throw new Error('expected an error')
}

test('a full disk is STORAGE_FULL, keeps nothing of the commit, and the log goes on when there is room', async () => {
  const log = openSqliteLog(file, { maxFileBytes: 1 << 20 })
  await log.ensureTopics([topicSpec()])
  const writer = await log.acquire('g', 't')
  const commit = (value: string, next: bigint) =>
    writer.commit({ appends: adds(value), positions: [{ topic: TOPIC, partition: 0, next }] })
  let kept = 0
  const error = caught(() => {
    for (; kept < 1000; kept++) commit(large(`${kept % 10}`), BigInt(kept + 1))
  })
  expect(error.code).toBe('STORAGE_FULL')
  expect(error.hint).toMatch(/\.$/)
  expect(error.cause).toBeInstanceOf(Error)
  expect(kept).toBeGreaterThan(2)
  expect((await values(log)).length).toBe(kept)
  expect(await log.committed('g', TOPIC, 0)).toBe(BigInt(kept))
  await log.truncate(TOPIC, 0, 5n)
  await commit('after', 99n)
  expect((await values(log)).at(-1)).toBe('after')
  expect((await values(log)).length).toBe(kept - 5 + 1)
  await log.close()
})

test('a full disk inside together undoes all of it, even when the work swallows the error', async () => {
  const log = openSqliteLog(file, { maxFileBytes: 1 << 20 })
  await log.ensureTopics([topicSpec()])
  await log.append(adds('before'))
  const swallowing = async () =>
    log.together(async () => {
      for (let i = 0; i < 30; i++) {
        try {
          await log.append(adds(large('x')))
        } catch (error) {
          expect(error).toBeInstanceOf(RheoError)
        }
      }
    })
  expect(await codeOf(swallowing)).toBe('STORAGE_FULL')
  expect(await values(log)).toEqual(['before'])
  await log.append(adds('after'))
  expect(await values(log)).toEqual(['before', 'after'])
  await log.close()
})

test('a locked file is LOG_UNAVAILABLE and retryable; readers go on; the same call succeeds once it is free', async () => {
  const log = openSqliteLog(file, { busyTimeoutMs: 10 })
  await log.ensureTopics([topicSpec()])
  await log.append(adds('a'))
  const other = new DatabaseSync(file)
  other.exec('BEGIN EXCLUSIVE')
  const error = caught(() => log.append(adds('b')))
  expect(error).toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true })
  expect(error.hint).toMatch(/\.$/)
  expect(await codeOf(async () => log.together(() => log.append(adds('b'))))).toBe('LOG_UNAVAILABLE')
  expect(await values(log)).toEqual(['a'])
  other.exec('ROLLBACK')
  other.close()
  await log.append(adds('c'))
  expect(await values(log)).toEqual(['a', 'c'])
  await log.close()
})

test('a file of garbage is STORAGE_CORRUPT, and stays as it is', async () => {
  const log = openSqliteLog(file)
  await log.ensureTopics([topicSpec()])
  await log.close()
  writeFileSync(file, Buffer.alloc(50_000, 'garbage '))
  const error = caught(() => openSqliteLog(file))
  expect(error.code).toBe('STORAGE_CORRUPT')
  expect(error.hint).toMatch(/\.$/)
  expect(caught(() => openSqliteStateStore(file)).code).toBe('STORAGE_CORRUPT')
})

test('a state store or a foreign database is not taken for a log', async () => {
  await openSqliteStateStore(file).close()
  expect(caught(() => openSqliteLog(file)).code).toBe('STORAGE_CORRUPT')
  const foreign = join(directory, 'foreign.db')
  const database = new DatabaseSync(foreign)
  database.exec('CREATE TABLE mine (x)')
  database.close()
  expect(caught(() => openSqliteLog(foreign)).code).toBe('STORAGE_CORRUPT')
})

test('a directory that does not exist is LOG_UNAVAILABLE or STATE_UNAVAILABLE', () => {
  const nowhere = join(directory, 'none', 'x.db')
  expect(caught(() => openSqliteLog(nowhere)).code).toBe('LOG_UNAVAILABLE')
  expect(caught(() => openSqliteStateStore(nowhere)).code).toBe('STATE_UNAVAILABLE')
})

test('the log is whole after it was closed and opened again', async () => {
  const log = openSqliteLog(file)
  await log.ensureTopics([topicSpec()])
  await log.append(adds('a'))
  await log.append(adds('b'))
  await log.truncate(TOPIC, 0, 1n)
  await log.close()
  const again = openSqliteLog(file)
  expect(await values(again)).toEqual(['b'])
  expect(await again.append(adds('c'))).toEqual([2n])
  await again.close()
})
