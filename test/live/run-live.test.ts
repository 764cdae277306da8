import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import { startLivePayments } from '../../scenarios/fraud/generator/live-payments.ts'
import { RheoError } from '../../schemas/errors.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { type LivePlan, runLive } from '../../streams/run-live.ts'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import type { StateStore } from '../../streams/state/state-store.ts'

const topology = fraud.topology(1)
const [payments] = topology.sources
const NOW_MS = Date.UTC(2026, 0, 3)
const stream = [
  ...generatePayments({ payments: 300, days: 2, start: NOW_MS - 2 * 86_400_000, seed: 3, world: 'drift' }),
]

let directory: string
let log: EventLog
let store: StateStore

const open = (): void => {
  log = openSqliteLog(join(directory, 'log.sqlite'))
  store = openSqliteStateStore(join(directory, 'state.sqlite'))
}
const close = async (): Promise<void> => {
  await log.close()
  await store.close()
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-live-'))
  open()
  await log.ensureTopics(topology.topics)
})
afterEach(async () => {
  await close()
  rmSync(directory, { recursive: true, force: true })
})

function plan(more: Partial<LivePlan> & Pick<LivePlan, 'signal'>): LivePlan {
  return { topology, log, store, clock: () => NOW_MS, batchRecords: 50, idleMs: 5, ...more }
}

async function produce(from: number, until: number, into: EventLog = log): Promise<void> {
  const records = stream.slice(from, until).map(({ payment }) => ({
    key: Buffer.from(payment.customerId),
    value: payments!.codec.encode(payment),
    timestampMs: NOW_MS,
  }))
  await into.append([{ topic: payments!.topic, partition: 0, records }])
}

/** Every score's payment, sorted: a payment that skips a stage overtakes others. */
async function scoredIds(): Promise<string[]> {
  const limits = { maxRecords: 100_000, maxBytes: 1e9 }
  const { records } = await log.fetch(fraud.scores.topic.name, 0, 0n, limits)
  return records.map(({ key }) => Buffer.from(key!).toString()).sort()
}

const idsOf = (from: number, until: number): string[] =>
  stream
    .slice(from, until)
    .map(({ payment }) => payment.paymentId)
    .sort()

/** Runs until so many scores are readable, then aborts. */
async function runUntil(scores: number, more: Partial<LivePlan> = {}): Promise<void> {
  const stop = new AbortController()
  const onPass = async (): Promise<void> => {
    if ((await log.bounds(fraud.scores.topic.name, 0)).end >= BigInt(scores)) stop.abort()
  }
  await runLive(plan({ signal: stop.signal, onPass, ...more }))
}

describe('runLive', () => {
  it('scores what was there before it and what comes while it runs', async () => {
    await produce(0, 20)
    const stop = new AbortController()
    let passes = 0
    await runLive(
      plan({
        signal: stop.signal,
        async onPass() {
          if (++passes === 3) await produce(20, 120)
          if ((await log.bounds(fraud.scores.topic.name, 0)).end === 120n) stop.abort()
        },
      }),
    )
    expect(await scoredIds()).toEqual(idsOf(0, 120))
  })

  it('scores what another handle on the same file appends', async () => {
    const other = openSqliteLog(join(directory, 'log.sqlite'))
    const running = runUntil(40)
    await produce(0, 40, other)
    await running
    await other.close()
    expect(await scoredIds()).toEqual(idsOf(0, 40))
  })

  it('drains what was appended before the abort, and flushes it', async () => {
    await produce(0, 200)
    await runLive(plan({ signal: AbortSignal.abort() }))
    expect(await scoredIds()).toEqual(idsOf(0, 200))
    const stage = topology.stages[0]!.topic
    expect((await store.acquire('fraud-0')).positions.get(stage)).toBe((await log.bounds(stage, 0)).end)
  })

  it('tells in headers, not in the payload, when a payment arrived, how long each stage took, and its trace', async () => {
    const { payment } = stream[0]!
    const value = payments!.codec.encode(payment)
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    const record = { key: Buffer.from(payment.customerId), value, timestampMs: NOW_MS - 7, headers }
    await log.append([{ topic: payments!.topic, partition: 0, records: [record] }])
    await runUntil(1)
    const { records } = await log.fetch(fraud.scores.topic.name, 0, 0n, { maxRecords: 1, maxBytes: 1e6 })
    expect(records[0]!.headers).toMatchObject({
      ...headers,
      rheo_arrived: new Date(NOW_MS - 7).toISOString(),
      rheo_emitted: new Date(NOW_MS).toISOString(),
      rheo_latency_ms: 'customerId=7, terminalId=0, deviceId=0, score=0',
    })
  })

  it('notices a state store that loses its state while nothing comes in, and begins again', async () => {
    const stop = new AbortController()
    let nowMs = NOW_MS
    let looks = 0
    const retried: string[] = []
    const forgetful: StateStore = {
      ...store,
      acquire: async (task) => ({
        ...(await store.acquire(task)),
        assertKept() {
          if (++looks === 1) throw new RheoError('STATE_UNAVAILABLE', 'emptied', { retryable: true })
          stop.abort()
        },
      }),
    }
    await runLive(
      plan({
        store: forgetful,
        signal: stop.signal,
        clock: () => (nowMs += 100),
        onRetry: ({ code }) => retried.push(code),
      }),
    )
    expect(retried).toEqual(['STATE_UNAVAILABLE'])
    expect(looks).toBe(2)
  })

  it('ends although others keep appending', async () => {
    let nowMs = NOW_MS
    let appended = 1
    await produce(0, 1)
    const stop = AbortSignal.abort()
    await runLive(
      plan({
        signal: stop,
        clock: () => (nowMs += 10),
        drainMs: 1_000,
        onPass() {
          appended++
          return produce(appended - 1, appended)
        },
      }),
    )
    expect(appended).toBeGreaterThan(2)
    expect(appended).toBeLessThan(100)
    expect((await scoredIds()).length).toBeGreaterThan(0)
  })

  it('goes on after a restart without losing or doubling a score, as if it had never stopped', async () => {
    await produce(0, 100)
    await runUntil(100)
    await close()
    open()
    await produce(100, 300)
    await runUntil(300)
    const split = await scoredIds()
    expect(split).toEqual(idsOf(0, 300))
  })

  it('goes on after dying between a commit and its flush', async () => {
    await produce(0, 150)
    const dying = runLive(
      plan({
        signal: new AbortController().signal,
        flushEveryMs: Number.POSITIVE_INFINITY,
        flushBytes: Number.POSITIVE_INFINITY,
        onPass({ folded }) {
          if (folded === 0) throw new Error('the power is out')
        },
      }),
    )
    await expect(dying).rejects.toThrow('the power is out')
    await close()
    open()
    await produce(150, 300)
    await runUntil(300)
    expect(await scoredIds()).toEqual(idsOf(0, 300))
  })

  it('starts again from the checkpoint after a failure that may pass', async () => {
    await produce(0, 100)
    let failures = 2
    const retried: number[] = []
    const shaky: StateStore = {
      ...store,
      async acquire(task) {
        const state = await store.acquire(task)
        return {
          positions: state.positions,
          load: state.load,
          scan: state.scan,
          stage: state.stage,
          flush(changes) {
            if (failures-- > 0) throw new RheoError('STATE_UNAVAILABLE', 'locked', { retryable: true })
            return state.flush(changes)
          },
        }
      },
    }
    await runUntil(100, { store: shaky, flushBytes: 1, onRetry: (_error, attempt) => retried.push(attempt) })
    expect(retried).toEqual([1, 2])
    expect(await scoredIds()).toEqual(idsOf(0, 100))
  })

  it('gives up on a failure that stays', async () => {
    const failing: StateStore = {
      ...store,
      acquire() {
        throw new RheoError('STORAGE_FULL', 'no space left')
      },
    }
    await expect(runUntil(1, { store: failing })).rejects.toThrow('no space left')
  })

  it('ends with a clear message when another process takes over', async () => {
    const other = openSqliteLog(join(directory, 'log.sqlite'))
    await produce(0, 10)
    const running = runLive(
      plan({
        signal: new AbortController().signal,
        async onPass() {
          await other.acquire('rheo-fraud', 'fraud-0')
          await produce(10, 20)
        },
      }),
    )
    await expect(running).rejects.toMatchObject({ code: 'FENCED', message: expect.stringContaining('took over') })
    await other.close()
  })
})

describe('the live stream', () => {
  it('goes on where it stopped: no payment twice, every label once', async () => {
    const options = { perSecond: 100, labelDelayMs: 1_000, seed: 1, world: 'drift' } as const
    let nowMs = NOW_MS
    const clock = (): number => nowMs
    const ids: string[] = []
    for (let session = 0; session < 3; session++) {
      const live = await startLivePayments(log, topology, { ...options, clock })
      for (let tick = 0; tick < 15; tick++) {
        nowMs += 100
        for (const { paymentId } of await live.feed()) ids.push(paymentId)
      }
    }
    const last = await startLivePayments(log, topology, { ...options, clock })
    await last.feed()
    expect(ids).toHaveLength(450)
    expect(new Set(ids).size).toBe(450)
    const { records } = await log.fetch(fraud.label.topic.name, 0, 0n, { maxRecords: 1_000, maxBytes: 1e9 })
    expect(records.map(({ key }) => Buffer.from(key!).toString())).toEqual(ids)
  })
})
