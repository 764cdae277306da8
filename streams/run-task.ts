import { type Entry, FEEDBACK, type Step, TIMER } from '../processors/step.ts'
import { ALL_BYTES, Checkpoint, type CheckpointTable } from './checkpoint.ts'
import type { Appends, EventLog, Position, TaskWriter } from './event-log/event-log.ts'
import { fetchOwn } from './fetch-own.ts'
import { Intake } from './intake.ts'
import { KeyedState } from './keyed-state.ts'
import { askModels, type ModelHost } from './model-host.ts'
import { OriginTrail } from './origin.ts'
import { type Counts, Outbox } from './outbox.ts'
import { unpack } from './packing.ts'
import type { StatePut, StateStore, TaskState } from './state/state-store.ts'
import { readProgress } from './task-progress.ts'
import { Timers } from './timers.ts'
import type { Stage, Topology } from './topology.ts'
import { channelOf, upstreamChannels, Watermarks } from './watermark.ts'

export interface TaskOptions {
  /** Milliseconds since 1970: processing time (live), or the replay's clock. */
  readonly clock: () => number
  /** Records (intake) and entries (stages) folded per commit, about. Results do not depend on it. */
  readonly batchRecords: number
  /**
   * Partitions that may hold unread records, as `pendingKey` names them, shared by all tasks of a process that has the log
   * to itself: a turn takes its own off and adds those it appended to. null: others append too, so every turn has to look.
   */
  readonly pending: Set<string> | null
}

/** How `TaskOptions.pending` names a partition; the intake's topics go by the name `intake`. */
export function pendingKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** Blocks fetched at once. Blocks are small (see outbox.ts), so their number bounds the bytes. */
const FETCH_BLOCKS = 256
const NO_LIMIT = Number.MAX_SAFE_INTEGER
/** The intake's fetches are bounded by bytes: eight of the largest records fit, so after fewer nothing was left behind. */
const SURELY_ALL_RECORDS = 8
const RUN_TABLE = '$run'

/** A stage as one task runs it. */
interface RunningStage {
  readonly stage: Stage
  readonly step: Step
  readonly keyed: KeyedState<unknown> | null
  readonly timers: Timers
  readonly watermarks: Watermarks
  readonly outbox: Outbox
  readonly trail: OriginTrail
  readonly models: ModelHost | null
  /** The next offset to fetch. */
  next: bigint
  /** The last fetch came back full: there may be more. */
  full: boolean
  /** The key whose state is being folded, for `forget`. */
  key: string
}

/**
 * One task: one partition number across all stages of a topology. The way of a record:
 *
 *   take a bounded batch → decode each record once → advance the watermark, find due timers
 *   → load the state of the batch's keys → ask models about the whole batch (model-host.ts) → fold → one commit
 *   → (later) flush state with its position, in parts (checkpoint.ts)
 *
 * After a crash the state store stands at R and the log at C ≥ R: `recover` folds (R, C] again and emits nothing.
 */
export class Task {
  readonly number: number
  readonly counts: Counts = { records: 0, rejected: 0, deleted: 0, late: 0, duplicates: 0 }
  readonly #topology: Topology
  readonly #log: EventLog
  readonly #options: TaskOptions
  readonly #writer: TaskWriter
  readonly #state: TaskState | null
  readonly #intake: Intake
  readonly #intakeOutbox: Outbox
  readonly #stages: readonly RunningStage[]
  #dirty = false
  /** The flush under way. */
  #checkpoint: Checkpoint | null = null

  /** Fences whoever ran this task before, restores its state and folds what the state store has not seen. */
  static async start(
    topology: Topology,
    number: number,
    log: EventLog,
    store: StateStore | null,
    options: TaskOptions,
  ): Promise<Task> {
    const name = `${topology.scenario}-${number}`
    const writer = await log.acquire(`rheo-${topology.scenario}`, name)
    const state = store === null ? null : await store.acquire(name)
    const task = new Task(topology, number, log, writer, state, options)
    await task.#restore()
    await task.#recover()
    task.#pendAll()
    return task
  }

  private constructor(
    topology: Topology,
    number: number,
    log: EventLog,
    writer: TaskWriter,
    state: TaskState | null,
    options: TaskOptions,
  ) {
    this.number = number
    this.#topology = topology
    this.#log = log
    this.#writer = writer
    this.#state = state
    this.#options = options
    this.#intake = new Intake(topology, number, log, options.pending === null)
    const noTimers = (): never => {
      throw new Error('the intake has no keys, so no timers')
    }
    this.#intakeOutbox = this.#outbox(0, topology.intakeNext, noTimers, noTimers)
    this.#stages = topology.stages
      .filter((stage) => stage.tasks === 'every' || number === 0)
      .map((stage) => this.#runningStage(stage))
  }

  get stageCount(): number {
    return this.#stages.length + 1
  }

  /**
   * One bounded batch of the intake (turn 0) or of a stage (turn i = stage i − 1), committed; of the intake no record later
   * than `throughMs`. Returns how much was folded.
   */
  async turn(index: number, throughMs = Number.POSITIVE_INFINITY): Promise<number> {
    const stage = this.#stages[index - 1]
    const { pending, batchRecords } = this.#options
    const key = pendingKey(stage === undefined ? 'intake' : stage.stage.topic, this.number)
    if (pending !== null && !pending.delete(key)) return 0
    const folded = await this.#fold(stage, throughMs)
    if (folded === 0) return 0
    const { appends, positions } = this.#results(stage)
    await this.#writer.commit({ appends, positions })
    if (pending !== null) {
      const full = stage === undefined ? folded >= Math.min(batchRecords, SURELY_ALL_RECORDS) : stage.full
      if (full) pending.add(key)
      for (const { topic, partition } of appends) pending.add(pendingKey(topic, partition))
    }
    this.#dirty = true
    return folded
  }

  /**
   * One bounded batch of the intake and of every stage, all of it one commit: for a log on which commits are dear. What
   * one stage sends to the next is read a round later. Returns how much was folded.
   */
  async round(throughMs = Number.POSITIVE_INFINITY): Promise<number> {
    let total = 0
    const appends: Appends[] = []
    const positions: Position[] = []
    for (const stage of [undefined, ...this.#stages]) {
      const folded = await this.#fold(stage, throughMs)
      if (folded === 0) continue
      total += folded
      const results = this.#results(stage)
      for (const append of results.appends) appends.push(append)
      for (const position of results.positions) positions.push(position)
    }
    if (total === 0) return 0
    await this.#writer.commit({ appends, positions })
    this.#dirty = true
    return total
  }

  /** How far the intake's next batch reaches, by the records' timestamps; Infinity: everything there is. */
  reachMs(): Promise<number> {
    return this.#intake.reachMs(this.#options.batchRecords)
  }

  /** What the sources that drive event time have brought. */
  get sourceProgress(): { readonly records: number; readonly watermarkMs: number; readonly behindMs: number | null } {
    const { timedRecords, watermarkMs, behindMs } = this.#intake
    return { records: timedRecords, watermarkMs, behindMs }
  }

  /** Lets event time go on to `watermarkMs` without a record: announced to the first stages, committed (`ticks.ts`). */
  async tick(watermarkMs: number): Promise<void> {
    this.#intake.watermarkMs = watermarkMs
    this.#intakeOutbox.watermarkMs = watermarkMs
    this.#intakeOutbox.announce()
    await this.#writer.commit({ appends: this.#intakeOutbox.take(), positions: this.#intake.positions() })
    this.#dirty = true
  }

  /** Writes changed state with the positions it stands for. Only ever after the commit of what it contains. */
  async flush(): Promise<void> {
    // What is left of a flush under way, then what has changed since it began.
    while (this.#checkpoint !== null) await this.flushPart(ALL_BYTES)
    while (await this.flushPart(ALL_BYTES));
  }

  /**
   * The next part of a flush, about so many bytes of state; turns may come between two parts. The first fixes what is
   * written, and the last but the dropping of what was read makes it durable. Returns whether the flush has more parts.
   */
  async flushPart(maxBytes: number): Promise<boolean> {
    if (this.#checkpoint === null) {
      if (!this.#dirty) return false
      this.#dirty = false
      this.#checkpoint = this.#freeze()
    }
    if (await this.#checkpoint.advance(maxBytes)) return true
    this.#checkpoint = null
    return false
  }

  /** Changed keys that the next flush will write. */
  get unflushedKeys(): number {
    return this.#stages.reduce((sum, { keyed }) => sum + (keyed?.changes ?? 0), 0)
  }

  /** Folds a batch of the intake (undefined) or of a stage; its results lie in the outbox. */
  async #fold(stage: RunningStage | undefined, throughMs: number): Promise<number> {
    if (stage !== undefined) return this.#foldStage(stage, null)
    return this.#intake.fold(this.#options.batchRecords, this.#intakeOutbox, null, throughMs)
  }

  #results(stage: RunningStage | undefined): { readonly appends: Appends[]; readonly positions: readonly Position[] } {
    if (stage === undefined) return { appends: this.#intakeOutbox.take(), positions: this.#intake.positions() }
    const position = { topic: stage.stage.topic, partition: this.number, next: stage.next }
    return { appends: stage.outbox.take(), positions: [position] }
  }

  async #foldStage(running: RunningStage, until: bigint | null): Promise<number> {
    const { stage, step, keyed, watermarks, timers, outbox, trail } = running
    const maxRecords = Math.min(this.#options.batchRecords, FETCH_BLOCKS)
    const limits = { maxRecords, maxBytes: NO_LIMIT }
    const fetched = await fetchOwn(this.#log, stage.topic, this.number, running.next, limits)
    running.full = fetched.records.length === maxRecords
    if (fetched.records.length === 0 && fetched.next === running.next) return 0
    const takenMs = this.#options.clock()
    const batch: Entry[] = []
    for (const record of fetched.records) {
      if (until !== null && record.offset >= until) break
      for (const entry of unpack(record.value, this.#topology.bodies)) batch.push(entry)
    }
    running.next = until !== null && fetched.next > until ? until : fetched.next
    if (keyed !== null && !keyed.whole) await keyed.load(this.#keysOf(batch, running))
    if (until === null && step.inquiry !== undefined) await askModels(step.inquiry, running.models, batch)
    const fold = (entry: Entry): void => {
      running.key = entry.key
      outbox.origin = trail.after(entry.origin ?? null, takenMs)
      step.fold(entry, keyed !== null && entry.key !== '' ? keyed.use(entry.key) : undefined, outbox)
    }
    for (const entry of batch) {
      if (entry.channel !== FEEDBACK) watermarks.advance(entry.channel, entry.watermarkMs)
      outbox.watermarkMs = watermarks.currentMs
      if (entry.body !== null) fold(entry)
      if (watermarks.currentMs >= timers.earliestMs) {
        for (const { key, atMs } of timers.takeDue(watermarks.currentMs)) fold(timerEntry(key, atMs))
      }
      outbox.announce()
    }
    return Math.max(1, batch.length)
  }

  /** The keys that folding the batch will touch: its own, and those of the timers that its watermarks make due. */
  #keysOf(batch: readonly Entry[], running: RunningStage): string[] {
    const keys = batch.filter(({ key }) => key !== '').map(({ key }) => key)
    const ahead = batch.reduce((latest, { watermarkMs }) => Math.max(latest, watermarkMs), running.watermarks.currentMs)
    for (const key of running.timers.keysUntil(ahead)) keys.push(key)
    return keys
  }

  async #restore(): Promise<void> {
    const state = this.#state
    if (state === null || state.positions.size === 0) return
    const [saved] = await state.load(RUN_TABLE, ['task'])
    if (saved === undefined) return
    const run = JSON.parse(Buffer.from(saved).toString()) as SavedRun
    Object.assign(this.counts, run.counts)
    this.#intake.watermarkMs = run.intakeWatermarkMs ?? Number.NEGATIVE_INFINITY
    this.#intake.behindMs = run.intakeBehindMs ?? null
    this.#intakeOutbox.restoreAnnounced(run.intakeAnnouncedMs)
    for (const running of this.#stages) {
      const stage = run.stages[running.stage.name]
      if (stage === undefined) continue
      running.watermarks.restore(stage.watermarksMs)
      running.outbox.restoreAnnounced(stage.announcedMs)
      running.timers.restore(await state.scan(`${running.stage.name}/timers`))
      running.step.resident?.restore(await state.scan(`${running.stage.name}/resident`))
    }
  }

  async #recover(): Promise<void> {
    const topics = [
      ...this.#topology.sources.map(({ topic }) => topic),
      ...this.#stages.map(({ stage }) => stage.topic),
    ]
    const progress = await readProgress(this.#log, this.#writer, this.number, topics, this.#state?.positions)
    const until = new Map<string, bigint>()
    for (const { topic } of this.#topology.sources) {
      const { from, committed } = progress.get(topic)!
      until.set(topic, committed)
      this.#intake.seek(topic, from)
    }
    while ((await this.#intake.fold(this.#options.batchRecords, this.#intakeOutbox, until)) > 0)
      this.#intakeOutbox.take()
    this.#intakeOutbox.take()
    for (const running of this.#stages) {
      const { from, committed } = progress.get(running.stage.topic)!
      running.next = from
      while (running.next < committed) {
        if ((await this.#foldStage(running, committed)) === 0) break
        running.outbox.take()
      }
      // Ticks are on the stages' topics only.
      if (this.#topology.intakeNext.includes(running.stage.name)) {
        const announcedMs = running.watermarks.announcedMs(channelOf(0, this.number))
        if (announcedMs > this.#intake.watermarkMs) this.#intake.watermarkMs = announcedMs
      }
    }
    this.#dirty = true
  }

  /** Whoever ran this task before may have left records unread anywhere. */
  #pendAll(): void {
    this.#options.pending?.add(pendingKey('intake', this.number))
    for (const { stage } of this.#stages) this.#options.pending?.add(pendingKey(stage.topic, this.number))
  }

  #freeze(): Checkpoint {
    const puts: StatePut[] = []
    const deletes: { table: string; key: string }[] = []
    const put = (table: string, pages: readonly (readonly [string, Uint8Array])[]): void => {
      for (const [key, value] of pages) puts.push({ table, key, value, expiresAtMs: null })
    }
    const positions = new Map(this.#intake.positions().map(({ topic, next }) => [topic, next]))
    const stages: SavedRun['stages'] = {}
    const tables: CheckpointTable[] = []
    /** Repartition topics need nothing that the state store has taken in. */
    const drops: Position[] = []
    let watermarkMs = Number.POSITIVE_INFINITY
    for (const { stage, step, keyed, timers, watermarks, outbox, next } of this.#stages) {
      const { name, topic } = stage
      positions.set(topic, next)
      drops.push({ topic, partition: this.number, next })
      if (keyed !== null) tables.push({ keyed, watermarkMs: () => watermarks.currentMs })
      if (this.#state === null) {
        timers.forgetChanges()
        continue
      }
      const changed = timers.changedPages()
      put(`${name}/timers`, changed.puts)
      for (const key of changed.deletes) deletes.push({ table: `${name}/timers`, key })
      put(`${name}/resident`, step.resident?.changedPages() ?? [])
      stages[name] = { watermarksMs: watermarks.snapshot(), announcedMs: outbox.announcedMs() }
      watermarkMs = Math.min(watermarkMs, watermarks.currentMs)
    }
    const run: SavedRun = {
      counts: sortedByName(this.counts),
      intakeWatermarkMs: this.#intake.watermarkMs === Number.NEGATIVE_INFINITY ? null : this.#intake.watermarkMs,
      // A replay's records arrive at their event times, which says nothing about a live run after it.
      intakeBehindMs: this.#options.pending === null ? this.#intake.behindMs : null,
      intakeAnnouncedMs: this.#intakeOutbox.announcedMs(),
      stages,
    }
    put(RUN_TABLE, [['task', Buffer.from(JSON.stringify(run))]])
    const pages = { positions, puts, deletes, watermarkMs }
    return new Checkpoint(this.#state, this.#log, tables, pages, drops)
  }

  #runningStage(stage: Stage): RunningStage {
    const step = stage.create(this.number)
    const timers = new Timers()
    const keyed = step.table === null ? null : new KeyedState(step.table, stage.name, this.#state)
    const running: RunningStage = {
      stage,
      step,
      keyed,
      timers,
      watermarks: new Watermarks(upstreamChannels(this.#topology, stage.name)),
      trail: new OriginTrail(stage.name),
      outbox: this.#outbox(
        this.#topology.stages.indexOf(stage) + 1,
        stage.next,
        (key, atMs) => timers.set(key, atMs),
        () => running.keyed?.forget(running.key),
      ),
      models: stage.models?.(this.number) ?? null,
      next: 0n,
      full: false,
      key: '',
    }
    return running
  }

  #outbox(
    index: number,
    next: readonly string[],
    timer: (key: string, atMs: number) => void,
    forget: () => void,
  ): Outbox {
    const channel = channelOf(index, this.number)
    return new Outbox({
      topology: this.#topology,
      channel,
      next,
      counts: this.counts,
      timer,
      forget,
      clock: this.#options.clock,
    })
  }
}

interface SavedRun {
  readonly counts: Counts
  readonly intakeWatermarkMs: number | null
  readonly intakeBehindMs?: number | null
  readonly intakeAnnouncedMs: ReturnType<Outbox['announcedMs']>
  readonly stages: Record<
    string,
    { watermarksMs: readonly (number | null)[]; announcedMs: ReturnType<Outbox['announcedMs']> }
  >
}

/** So that equal counts are equal bytes, in whichever order they began. */
function sortedByName(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))) as Counts
}

function timerEntry(key: string, atMs: number): Entry {
  return {
    kind: TIMER,
    key,
    eventTimeMs: atMs,
    watermarkMs: Number.NEGATIVE_INFINITY,
    channel: FEEDBACK,
    body: null,
    features: null,
    origin: null,
  }
}
