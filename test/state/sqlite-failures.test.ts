import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import type { StateChanges } from '../../streams/state/state-store.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-state-failures-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const flushOf = (key: string, sizeBytes: number, next: bigint): StateChanges => ({
  positions: new Map([['topic', next]]),
  puts: [{ table: 't', key, value: new Uint8Array(sizeBytes), expiresAtMs: null }],
  deletes: [],
  watermarkMs: 0,
})

test('a flush that finds the disk full keeps nothing, position included, and the next one succeeds', async () => {
  const store = openSqliteStateStore(join(directory, 'state.db'), { maxFileBytes: 1 << 20 })
  const state = await store.acquire('a')
  await state.flush(flushOf('x', 10, 1n))
  expect(() => state.flush(flushOf('large', 2 << 20, 2n))).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }))
  expect(state.positions.get('topic')).toBe(1n)
  expect(await state.load('t', ['large'])).toEqual([undefined])
  await state.flush(flushOf('y', 10, 2n))
  expect((await store.acquire('a')).positions.get('topic')).toBe(2n)
  await store.close()
})

test('a part that finds the disk full is never missing from a flush: the flush fails too, and leaves nothing', async () => {
  const store = openSqliteStateStore(join(directory, 'state.db'), { maxFileBytes: 1 << 20 })
  const state = await store.acquire('a')
  await state.stage(flushOf('x', 10, 1n))
  expect(() => state.stage(flushOf('large', 2 << 20, 1n))).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }))
  expect(() => state.flush(flushOf('y', 10, 1n))).toThrow(expect.objectContaining({ code: 'STATE_UNAVAILABLE' }))
  expect(await state.load('t', ['x', 'y'])).toEqual([undefined, undefined])
  expect(state.positions.size).toBe(0)
  await state.flush(flushOf('y', 10, 2n))
  expect((await store.acquire('a')).positions.get('topic')).toBe(2n)
  await store.close()
})

test('what was staged is gone when the process ends before the flush', async () => {
  const file = join(directory, 'state.db')
  const store = openSqliteStateStore(file)
  const state = await store.acquire('a')
  await state.flush(flushOf('x', 10, 1n))
  for (let part = 0; part < 100; part++) await state.stage(flushOf(`part ${part}`, 1 << 20, 2n))
  await store.close()
  const again = await openSqliteStateStore(file).acquire('a')
  expect((await again.scan('t')).map(([key]) => key)).toEqual(['x'])
  expect(again.positions.get('topic')).toBe(1n)
})

test('a locked file is STATE_UNAVAILABLE and retryable, and what was flushed is there after reopening', async () => {
  const file = join(directory, 'state.db')
  const store = openSqliteStateStore(file, { busyTimeoutMs: 10 })
  const state = await store.acquire('a')
  const other = new DatabaseSync(file)
  other.exec('BEGIN EXCLUSIVE')
  const locked = expect.objectContaining({ code: 'STATE_UNAVAILABLE', retryable: true })
  expect(() => state.flush(flushOf('x', 10, 1n))).toThrow(locked)
  other.exec('ROLLBACK')
  other.close()
  await state.flush(flushOf('x', 10, 1n))
  await store.close()
  const again = openSqliteStateStore(file)
  expect((await again.peek('a', 't', 'x'))?.byteLength).toBe(10)
  expect((await again.acquire('a')).positions.get('topic')).toBe(1n)
  await again.close()
})
