import type { EventLog, NewRecord, Transaction } from '../streams/event-log/event-log.ts'
import { headerText } from '../streams/event-log/headers.ts'
import { EventValue } from '../streams/event-value.ts'
import type { LivePass } from '../streams/run-live.ts'
import type { StateStore } from '../streams/state/state-store.ts'
import type { Topology } from '../streams/topology.ts'
import type { Health } from './health.ts'
import { shortName } from './log-topics.ts'
import { endsOf, type ObservedLog, observeLog } from './observe-log.ts'
import { observeStore } from './observe-store.ts'
import { TaskTally } from './task-tally.ts'
import type { WorkerMetrics } from './worker-metrics.ts'

/** The newest score is looked at so often for the version of its model. */
const MODEL_EVERY_MS = 1_000
/** Lag is asked for so long after the last answers: one question per partition. */
const LAG_EVERY_MS = 10_000

/** What a topic is to a topology. */
type Role = 'source' | 'dead letters' | 'late' | 'other'

/** Watches one run of a scenario for its metrics and its health: some work per commit and pass, none per record. */
export class WorkerWatch {
  readonly log: EventLog
  readonly store: StateStore
  readonly #metrics: WorkerMetrics
  readonly #health: Health
  readonly #observed: ObservedLog
  readonly #tally: TaskTally
  readonly #roles = new Map<string, { readonly role: Role; readonly label: string }>()
  #topology: Topology | null = null
  #assigned: readonly number[] = []
  /** Arrival times of scores that are committed, but not readable before the pass ends. */
  #waiting: number[] = []
  #modelAtMs = Number.NEGATIVE_INFINITY
  #lagTimer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(log: EventLog, store: StateStore, metrics: WorkerMetrics, health: Health) {
    this.#metrics = metrics
    this.#health = health
    this.#observed = observeLog(log, {
      onFetched: (topic, records) => this.#fetched(topic, records),
      onCommitted: (transaction, seconds, readable) => {
        this.#committed(transaction, seconds)
        if (readable === 'now') this.#readable()
      },
      onTogether: (outcome) => {
        if (outcome === 'readable') this.#readable()
        else this.#waiting = []
      },
    })
    this.log = this.#observed.log
    this.store = observeStore(store, { onWritten: (kind, seconds) => metrics.flush.observe({ kind }, seconds) })
    this.#tally = new TaskTally((name, more) => {
      const [what, kind] = name.split('.')
      if (what === 'duplicates' && kind !== undefined) metrics.duplicates.inc({ kind }, more)
    })
  }

  begin(topology: Topology): void {
    this.#topology = topology
    const { scenario, sources, stages, outputs } = topology
    const add = (topic: string, role: Role, of = topic): void => {
      this.#roles.set(topic, { role, label: shortName(scenario, of) })
    }
    for (const { topic, dlqTopic, lateTopic } of sources) {
      add(topic, 'source')
      add(dlqTopic, 'dead letters', topic)
      add(lateTopic, 'late', topic)
    }
    for (const { topic } of [...stages, ...outputs]) add(topic, 'other')
    if (topology.changelog !== undefined) add(topology.changelog, 'other')
    void this.#measureLag()
  }

  /** Tasks that are this process's to run. */
  assigned(tasks: readonly number[]): void {
    this.#assigned = tasks
    this.#metrics.assigned.set(tasks.length)
    this.#compare()
  }

  started(tasks: LivePass['tasks']): void {
    this.#tally.change(tasks)
    this.#metrics.tasks.set(tasks.length)
    this.#health.moved()
    this.#health.clear('starting', 'log away', 'state away', 'registry away')
    this.#compare()
  }

  passed({ folded, tookMs }: LivePass): void {
    this.#health.moved()
    if (folded === 0) return
    this.#metrics.folded.inc(folded)
    this.#metrics.batch.observe(tookMs / 1000)
  }

  /** Brings what is only looked at now and then up to date: before the metrics are read. */
  refresh(): void {
    this.#tally.settle()
    const { watermarkAge, restoring } = this.#metrics
    const nowMs = Date.now()
    const slowest = new Map<string, number>()
    const slow = (stage: string, ms: number): unknown => slowest.set(stage, Math.min(slowest.get(stage) ?? ms, ms))
    for (const { sourceProgress, stageWatermarks } of this.#tally.tasks) {
      slow('intake', sourceProgress.watermarkMs)
      for (const { stage, watermarkMs } of stageWatermarks) slow(stage, watermarkMs)
    }
    watermarkAge.reset()
    for (const [stage, ms] of slowest) if (Number.isFinite(ms)) watermarkAge.set({ stage }, (nowMs - ms) / 1000)
    restoring.reset()
    const running = this.#tally.tasks.map(({ number }) => number)
    const restored = this.#assigned.filter((task) => !running.includes(task))
    for (const topic of this.#read()) {
      const left = restored.reduce((sum, task) => sum + this.#observed.toRestore(topic, task), 0)
      if (left > 0) restoring.set({ topic: this.#label(topic) }, left)
    }
  }

  /** How many offsets the tasks held have yet to read, as of the last measurement. */
  lag: number | null = null

  close(): void {
    this.#isClosed = true
    if (this.#lagTimer !== null) clearTimeout(this.#lagTimer)
    this.#tally.change([])
    this.#metrics.tasks.set(0)
    this.#metrics.lag.reset()
    this.#metrics.lagMax.reset()
  }

  #compare(): void {
    const running = this.#tally.tasks.map(({ number }) => number)
    const missing = this.#assigned.filter((task) => !running.includes(task))
    if (missing.length === 0) this.#health.clear('recovering')
    else this.#health.raise('recovering', `tasks ${missing.join(', ')} are being restored`)
  }

  #fetched(topic: string, records: number): void {
    this.#health.moved()
    const known = this.#roles.get(topic)
    if (known?.role === 'source') this.#metrics.recordsIn.inc({ topic: known.label }, records)
  }

  #committed(transaction: Transaction, seconds: number): void {
    this.#metrics.commit.observe(seconds)
    for (const { topic, records } of transaction.appends) {
      const known = this.#roles.get(topic)
      if (known === undefined || records.length === 0) continue
      if (known.role === 'dead letters') this.#metrics.rejected.inc({ topic: known.label }, records.length)
      else if (known.role === 'late') this.#metrics.late.inc({ topic: known.label }, records.length)
      else this.#metrics.recordsOut.inc({ topic: known.label }, records.length)
    }
    const scores = this.#topology?.outputs[0]
    if (scores === undefined) return
    const ends = endsOf(transaction, scores.topic)
    for (const record of ends) {
      const arrived = headerText(record.headers ?? {}, 'rheo_arrived')
      if (arrived !== undefined) this.#waiting.push(Date.parse(arrived))
    }
    if (ends.length > 0) this.#lookAtModel(ends.at(-1)!)
  }

  #readable(): void {
    if (this.#waiting.length === 0) return
    const nowMs = Date.now()
    for (const arrivedMs of this.#waiting) this.#metrics.latency.observe(Math.max(0, nowMs - arrivedMs) / 1000)
    this.#waiting = []
  }

  #lookAtModel({ value }: NewRecord): void {
    const nowMs = performance.now()
    if (nowMs - this.#modelAtMs < MODEL_EVERY_MS || !(value instanceof EventValue)) return
    this.#modelAtMs = nowMs
    const { modelName, modelVersion } = value.event as { readonly modelName?: string; readonly modelVersion?: number }
    const version = Number(modelVersion)
    if (modelName === undefined || !Number.isFinite(version)) return
    // What scored before has another label where a model has joined or left.
    this.#metrics.modelVersion.reset()
    this.#metrics.modelVersion.set({ model: modelName }, version)
  }

  #read(): readonly string[] {
    const { sources = [], stages = [] } = this.#topology ?? {}
    return [...sources, ...stages].map(({ topic }) => topic)
  }

  #label(topic: string): string {
    return this.#roles.get(topic)?.label ?? topic
  }

  async #measureLag(): Promise<void> {
    try {
      let total = 0
      for (const topic of this.#read()) {
        let sum = 0
        let most = 0
        for (const { number } of this.#tally.tasks) {
          const { end } = await this.log.bounds(topic, number)
          const left = this.#observed.unread(topic, number, end)
          if (left === null) continue
          sum += left
          most = Math.max(most, left)
        }
        if (this.#isClosed) return
        this.#metrics.lag.set({ topic: this.#label(topic) }, sum)
        this.#metrics.lagMax.set({ topic: this.#label(topic) }, most)
        total += sum
      }
      this.lag = total
    } catch {
      // The log is away: the run itself notices, and says so.
      this.lag = null
    }
    if (!this.#isClosed) this.#lagTimer = setTimeout(() => void this.#measureLag(), LAG_EVERY_MS).unref()
  }
}
