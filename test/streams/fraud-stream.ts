import { createHash } from 'node:crypto'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { generatedAdmissions } from '../../scenarios/fraud/stream.ts'
import type { Payment } from '../../schemas/generated/fraud/payment.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { type Admission, replay } from '../../streams/replay.ts'
import type { Task } from '../../streams/run-task.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import type { Topology } from '../../streams/topology.ts'
import { storedTimers } from './stored-timers.ts'

export const SLICE_MS = 900_000
const HOUR_MS = 3_600_000
const INPUT_TOPIC = 'rheo.fraud.input-test.v1'

/** What was put among the payments, and has to come out again. */
export interface Spoiled {
  readonly admissions: readonly Admission[]
  readonly payments: number
  readonly duplicates: number
  readonly late: number
  readonly refused: number
}

/** A generated stream with labels, and among its payments: doubled, late and future ones, and bytes that are no payment. */
export function spoiledStream(payments: number, days: number, seed = 1): Spoiled {
  const topology = fraud.topology(1, SLICE_MS)
  const [source] = topology.sources
  const stream = { payments, days, seed, world: 'drift', labelDelayMs: 24 * HOUR_MS } as const
  const admissions = [...generatedAdmissions(topology, stream, 0, null)].flat()
  const counts = { payments: 0, duplicates: 0, late: 0, refused: 0 }
  const bad: Admission[] = []
  for (const admission of admissions) {
    if (admission.topic !== source!.topic) continue
    const number = counts.payments++
    const payment = source!.codec.decode(admission.value) as Payment
    const changed = (paymentId: string, shiftMs: number): Uint8Array =>
      source!.codec.encode({ ...payment, paymentId, eventTime: payment.eventTime + shiftMs })
    const add = (what: 'duplicates' | 'late' | 'refused', more: Partial<Admission>): void => {
      counts[what]++
      bad.push({ ...admission, ...more })
    }
    if (number % 17 === 3) add('duplicates', { atMs: admission.atMs + 600_000 })
    if (number % 23 === 5) add('late', { value: changed(`late-${number}`, -48 * HOUR_MS) })
    if (number % 29 === 7) add('refused', { value: changed(`soon-${number}`, 2 * HOUR_MS) })
    if (number % 31 === 11) add('refused', { value: Buffer.from(`poison ${number}`) })
  }
  counts.payments += bad.length
  const all = [...admissions, ...bad].sort((a, b) => a.atMs - b.atMs)
  return { admissions: all, ...counts }
}

export interface Run {
  readonly log: EventLog
  readonly store: StateStore | null
  readonly admissions: readonly Admission[]
  readonly batchRecords?: number
  readonly partitions?: number
  /** The input fails here, as if the process had died: what was committed stays, nothing is flushed. */
  readonly diesAfter?: number
}

/** One call of a replay; called again with the same log and store, it goes on. */
export async function runReplay({ log, store, admissions, batchRecords = 1_000, partitions = 1, diesAfter }: Run) {
  const topology = fraud.topology(partitions, SLICE_MS)
  await ensureTopics(log, topology)
  return replay({
    topology,
    log,
    store,
    inputTopic: INPUT_TOPIC,
    sliceMs: SLICE_MS,
    batchRecords,
    *items(skip) {
      for (let from = skip; from < admissions.length; from += 100) {
        if (diesAfter !== undefined && from >= diesAfter) throw new Error('died')
        yield admissions.slice(from, from + 100)
      }
    },
    afterGroup: () => undefined,
  })
}

export async function ensureTopics(log: EventLog, topology: Topology): Promise<void> {
  const input = { name: INPUT_TOPIC, partitions: 1, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1 } as const
  await log.ensureTopics([...topology.topics, input])
}

/** SHA-256 over every record of the outputs, the dead letters and the late topics: key, value, headers, timestamp, order. */
export async function outputHash(log: EventLog, partitions = 1): Promise<string> {
  const topology = fraud.topology(partitions, SLICE_MS)
  const topics = [
    ...topology.outputs.map(({ topic }) => topic),
    ...topology.sources.flatMap(({ dlqTopic, lateTopic }) => [dlqTopic, lateTopic]),
  ]
  const hash = createHash('sha256')
  for (const topic of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      hash.update(`${topic}/${partition}\n`)
      const { end } = await log.bounds(topic, partition)
      for (let next = 0n; next < end; ) {
        const fetched = await log.fetch(topic, partition, next, { maxRecords: 500, maxBytes: 1 << 24 })
        for (const { key, value, headers, timestampMs } of fetched.records) {
          const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
          const texts = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text).toString()])
          hash.update(JSON.stringify([timestampMs, texts.sort(), key?.length, bytes?.length]))
          hash.update(key ?? '').update(bytes ?? '')
        }
        next = fetched.next
      }
    }
  }
  return hash.digest('hex')
}

/** Records on a topic, all partitions. */
export async function recordsOn(log: EventLog, topic: string, partitions = 1): Promise<number> {
  let count = 0
  for (let partition = 0; partition < partitions; partition++) count += Number((await log.bounds(topic, partition)).end)
  return count
}

/**
 * The stored state of a task, as text: every key whose state still means something at the end, the tables that are held
 * whole, and counts and watermarks.
 */
export async function storedState(store: StateStore, task = 0): Promise<Record<string, string>> {
  const topology = fraud.topology(1, SLICE_MS)
  const state = await store.acquire(`fraud-${task}`)
  const [run] = await state.load('$run', ['task'])
  const text = Buffer.from(run!).toString()
  const found: Record<string, string> = {
    run: text,
    positions: JSON.stringify([...state.positions].map(String).sort()),
  }
  const { stages } = JSON.parse(text) as { stages: Record<string, { watermarksMs: number[] }> }
  const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')
  for (const stage of topology.stages) {
    if (stages[stage.name] === undefined) continue
    const watermarkMs = Math.min(...stages[stage.name]!.watermarksMs)
    const resident = `${stage.name}/resident`
    for (const [key, value] of await state.scan(resident)) found[`${resident} ${key}`] = hex(value)
    found[`${stage.name} timers`] = await storedTimers(state, stage.name)
    const { table } = stage.create(task)
    if (table === null) continue
    for (const [key, value] of await state.scan(stage.name)) {
      const expiresAtMs = table.expiresAtMs(table.decode(value, key))
      if (expiresAtMs === null || expiresAtMs >= watermarkMs) found[`${stage.name} ${key}`] = hex(value)
    }
  }
  return found
}

export function countsOf(tasks: readonly Task[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const { counts } of tasks) {
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
  }
  return sum
}
