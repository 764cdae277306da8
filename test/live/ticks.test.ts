import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defineScenario } from '../../scenarios/define-scenario.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatePayments } from '../../scenarios/fraud/generator/generate-payments.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { eventOf } from '../../streams/event-value.ts'
import { partitionOf } from '../../streams/partition.ts'
import { type LivePlan, runLive } from '../../streams/run-live.ts'
import { Task } from '../../streams/run-task.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import { outputHash, storedState } from '../streams/fraud-stream.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 5, 3)
const ALLOWANCE_MS = 60_000
const scenario = defineScenario({ ...fraud, idle: { after: '10 s', allowance: '1 min' } })
const payments = [...generatePayments({ payments: 60, days: 1, start: NOW_MS - DAY_MS, seed: 3, world: 'drift' })].map(
  ({ payment }) => payment,
)
const lastEventMs = Math.max(...payments.map(({ eventTime }) => eventTime))

let directory: string
let log: EventLog
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-ticks-'))
  log = openSqliteLog(join(directory, 'log.sqlite'))
})
afterEach(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Live extends Partial<LivePlan> {
  readonly partitions?: number
  readonly store: StateStore
  /** Processing time after the pass of that number. */
  clockAfter(pass: number): number
  readonly passes: number
}

/** A live run of so many passes whose clock the test moves. */
async function live({ partitions = 1, store, clockAfter, passes, ...more }: Live): Promise<void> {
  const topology = scenario.topology(partitions)
  await log.ensureTopics(topology.topics)
  const stop = new AbortController()
  let pass = 0
  const onPass = (): void => {
    if (++pass === passes) stop.abort()
  }
  const clock = (): number => clockAfter(pass)
  await runLive({ topology, log, store, signal: stop.signal, clock, batchRecords: 100, idleMs: 0, onPass, ...more })
}

async function produce(arrivalMs: number, partitions = 1, some = payments): Promise<void> {
  const topology = scenario.topology(partitions)
  await log.ensureTopics(topology.topics)
  const [source] = topology.sources
  for (const payment of some) {
    const record = {
      key: Buffer.from(payment.customerId),
      value: source!.codec.encode(payment),
      timestampMs: arrivalMs,
    }
    await log.append([
      { topic: source!.topic, partition: partitionOf(payment.customerId, partitions), records: [record] },
    ])
  }
}

async function outcomes(partitions = 1): Promise<Outcome[]> {
  const output = scenario.topology(partitions).outputs[1]!
  const found: Outcome[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const { records } = await log.fetch(output.topic, partition, 0n, { maxRecords: 10_000, maxBytes: 1e9 })
    for (const { value } of records) found.push(eventOf(value, output.codec) as Outcome)
  }
  return found
}

const ids = (some: readonly { readonly paymentId: string }[]): string[] => some.map(({ paymentId }) => paymentId).sort()
/** The third pass finds nothing; then the source stays silent for a while. */
const silentFor = (silenceMs: number) => (pass: number) => NOW_MS + (pass < 3 ? 0 : (pass - 3) * (silenceMs / 5))

describe('a live run whose source falls silent', () => {
  it('concludes the label horizon of every payment', async () => {
    await produce(NOW_MS)
    await live({ store: createMemoryStateStore(), passes: 20, clockAfter: silentFor(40 * DAY_MS) })
    const concluded = await outcomes()
    expect(ids(concluded)).toEqual(ids(payments))
    expect(new Set(concluded.map(({ source }) => source))).toEqual(new Set(['horizon']))
  })

  it('goes no further than the clock less the allowance', async () => {
    await produce(lastEventMs)
    const firstEventMs = Math.min(...payments.map(({ eventTime }) => eventTime))
    const untilMs = firstEventMs + 30 * DAY_MS + ALLOWANCE_MS
    const store = createMemoryStateStore()
    await live({ store, passes: 20, clockAfter: (pass) => (pass < 3 ? lastEventMs : untilMs - 1) })
    expect(await outcomes()).toEqual([])
    await live({ store, passes: 20, clockAfter: (pass) => (pass < 1 ? untilMs - 1 : untilMs + 120_000) })
    const [first] = await outcomes()
    expect(first?.eventTime).toBe(firstEventMs)
  })

  it('moves nothing while a payment comes now and then', async () => {
    const some = payments
      .slice(0, 20)
      .map((payment, i) => ({ ...payment, paymentId: `n-${i}`, eventTime: lastEventMs }))
    const stop = new AbortController()
    const store = createMemoryStateStore()
    let fed = 0
    await live({
      store,
      passes: Number.POSITIVE_INFINITY,
      signal: stop.signal,
      clockAfter: () => NOW_MS + fed * 9_000,
      async onPass({ folded }) {
        if (folded > 0) return
        if (fed === some.length) stop.abort()
        else await produce(NOW_MS, 1, [some[fed++]!])
      },
    })
    const { run } = await storedState(store)
    expect(JSON.parse(run!)).toMatchObject({ intakeWatermarkMs: lastEventMs, counts: { scores: 20 } })
  })

  it('plays a history on at its own pace: today does not make it late', async () => {
    const half = payments.slice(0, 30)
    const arrivalMs = NOW_MS + 2_000 * DAY_MS
    await produce(arrivalMs, 1, half)
    const store = createMemoryStateStore()
    const clockAfter = (pass: number): number => arrivalMs + (pass < 3 ? 0 : (pass - 3) * 120_000)
    await live({ store, passes: 20, clockAfter })
    await produce(arrivalMs, 1, payments.slice(30))
    await live({ store, passes: 5, clockAfter: () => arrivalMs + 3_600_000 })
    expect((await log.bounds(scenario.scores.topic.name, 0)).end).toBe(BigInt(payments.length))
    expect(await outcomes()).toEqual([])
  })

  it('does not let partitions that nobody writes to hold up the others', async () => {
    const [one] = payments
    await produce(NOW_MS, 3, [one!])
    await live({ store: createMemoryStateStore(), partitions: 3, passes: 60, clockAfter: silentFor(40 * DAY_MS) })
    expect(ids(await outcomes(3))).toEqual([one!.paymentId])
  })

  it('gives the same state and outputs when everything is read again, ticks and all', async () => {
    await produce(NOW_MS)
    const unflushed = { flushEveryMs: Number.POSITIVE_INFINITY, flushBytes: Number.POSITIVE_INFINITY }
    let passes = 0
    const dying = live({
      ...unflushed,
      store: createMemoryStateStore(),
      passes: 1_000_000,
      clockAfter: () => silentFor(40 * DAY_MS)(passes),
      onPass() {
        if (++passes === 20) throw new Error('the power is out')
      },
    })
    await expect(dying).rejects.toThrow('the power is out')
    const before = await outputHash(log)
    expect((await outcomes()).length).toBe(payments.length)
    // Nothing is dropped: the same log can be read twice.
    const kept: EventLog = { ...log, truncate: () => undefined }
    const states: Record<string, string>[] = []
    for (const batchRecords of [3, 100]) {
      const store = createMemoryStateStore()
      const options = { clock: () => 0, batchRecords, pending: null }
      const task = await Task.start(scenario.topology(1), 0, kept, store, options)
      expect(task.sourceProgress.watermarkMs).toBeGreaterThan(lastEventMs + 30 * DAY_MS)
      await task.flush()
      states.push(await storedState(store))
    }
    expect(states[1]).toEqual(states[0])
    expect(await outputHash(log)).toBe(before)
  })
})
