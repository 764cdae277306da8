import { acquireState } from './acquire-state.ts'
import { ALL_BYTES, Checkpoint, type CheckpointTable, DROPPED_RECORDS } from './checkpoint.ts'
import type { Appends, EventLog, Position } from './event-log/event-log.ts'
import { JointWriter } from './event-log/joint-writer.ts'
import { Intake } from './intake.ts'
import { type Counts, Outbox } from './outbox.ts'
import { RunningStage } from './running-stage.ts'
import { loadRun, putRun, type SavedRun } from './saved-run.ts'
import type { StatePut, StateStore, TaskState } from './state/state-store.ts'
import { readProgress } from './task-progress.ts'
import type { Stage, Topology } from './topology.ts'
import { channelOf } from './watermark.ts'

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
  /** How much memory the states that a task holds in front of its store may take at present, bytes; about 512 MiB for all tasks by default. */
  readonly cachedBytes?: () => number
}

/** How `TaskOptions.pending` names a partition; the intake's topics go by the name `intake`. */
export function pendingKey(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** While recovering, so many bytes of changed state are flushed before it goes on. */
const FLUSHED_BYTES = 32 * 1_048_576
const DEFAULT_CACHED_BYTES = 512 * 1_048_576
/** The intake's fetches are bounded by bytes: eight of the largest records fit, so after fewer nothing was left behind. */
const SURELY_ALL_RECORDS = 8

/**
 * One task: one partition number across all stages of a topology. The way of a record:
 *
 *   take a bounded batch → decode each record once → advance the watermark, find due timers
 *   → ask models about the whole batch (model-host.ts) → load the state of its keys → fold → one commit
 *   → (later) flush state with its position, in parts (checkpoint.ts)
 *
 * After a crash the state store stands at R and the log at C ≥ R: `recover` folds (R, C] again and emits nothing. What it
 * has folded it flushes, so that crashes which follow each other closely never have more and more to fold again.
 */
export class Task {
  readonly number: number
  readonly counts: Counts = { records: 0, rejected: 0, deleted: 0, late: 0, duplicates: 0 }
  readonly #topology: Topology
  readonly #log: EventLog
  readonly #options: TaskOptions
  readonly #writer: JointWriter
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
    const writer = new JointWriter(await log.acquire(`rheo-${topology.scenario}`, name))
    const { clock } = options
    const state = store === null ? null : await acquireState(topology, number, log, store, writer, clock)
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
    writer: JointWriter,
    state: TaskState | null,
    options: TaskOptions,
  ) {
    this.number = number
    this.#topology = topology
    this.#log = log
    this.#writer = writer
    this.#state = state
    this.#options = options
    // Only headers of outputs tell of origins.
    const traces = options.pending === null && topology.outputs.some(({ headers }) => headers !== 'none')
    this.#intake = new Intake(topology, number, log, traces)
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
   * than `throughMs`. Returns how much was folded, or was left with models where that is more: the next turn folds it.
   * `foldedBefore`: how much its pass has folded already (`RunningStage.fold`).
   */
  async turn(index: number, throughMs = Number.POSITIVE_INFINITY, foldedBefore = 0): Promise<number> {
    const stage = this.#stages[index - 1]
    const { pending, batchRecords } = this.#options
    const key = pendingKey(stage === undefined ? 'intake' : stage.stage.topic, this.number)
    if (pending !== null && !pending.delete(key)) return 0
    const folded = await this.#fold(stage, throughMs, foldedBefore)
    const outbox = stage === undefined ? this.#intakeOutbox : stage.outbox
    const done = Math.max(folded, stage?.asked ?? 0)
    if (folded === 0 && !outbox.hasProgress) return done
    const { appends, positions } = this.#results(stage)
    await this.#writer.commit({ appends, positions })
    if (pending !== null) {
      const full = stage === undefined ? folded >= Math.min(batchRecords, SURELY_ALL_RECORDS) : stage.full
      if (full) pending.add(key)
      for (const { topic, partition } of appends) pending.add(pendingKey(topic, partition))
    }
    this.#dirty = true
    return done
  }

  /**
   * One bounded batch of the intake and of every stage, all of it one commit: for a log on which commits are dear. What
   * one stage sends to the next is read a round later. Returns what `turn` does, of all of them.
   *
   * @param flushBytes a part of a flush of about that size comes with it; where the log keeps the state, too, in the same
   * commit. 0: none.
   */
  async round(throughMs = Number.POSITIVE_INFINITY, flushBytes = 0): Promise<number> {
    let total = 0
    const appends: Appends[] = []
    const positions: Position[] = []
    for (const stage of [undefined, ...this.#stages]) {
      const folded = await this.#fold(stage, throughMs, total)
      const outbox = stage === undefined ? this.#intakeOutbox : stage.outbox
      total += Math.max(folded, stage?.asked ?? 0)
      if (folded === 0 && !outbox.hasProgress) continue
      const results = this.#results(stage)
      for (const append of results.appends) appends.push(append)
      for (const position of results.positions) positions.push(position)
    }
    if (positions.length > 0) {
      this.#dirty = true
      const results = { appends, positions }
      if (flushBytes > 0 && this.#topology.changelog !== undefined) this.#writer.hold(results)
      else await this.#writer.commit(results)
    }
    if (flushBytes > 0) await this.flushPart(flushBytes)
    await this.#writer.release()
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

  /** How far event time has come in each of its stages, in the order in which records flow; -Infinity: nowhere yet. */
  get stageWatermarks(): readonly { readonly stage: string; readonly watermarkMs: number }[] {
    return this.#stages.map(({ stage, watermarks }) => ({ stage: stage.name, watermarkMs: watermarks.currentMs }))
  }

  /** Lets event time go on to `watermarkMs` without a record: announced to the first stages, committed (`ticks.ts`). */
  async tick(watermarkMs: number): Promise<void> {
    this.#intake.watermarkMs = watermarkMs
    this.#intakeOutbox.watermarkMs = watermarkMs
    this.#intakeOutbox.announce()
    await this.#writer.commit({ appends: this.#intakeOutbox.take(), positions: this.#intake.positions() })
    this.#dirty = true
  }

  /** Commits nothing: throws FENCED when another process has acquired the task. */
  async confirm(): Promise<void> {
    await this.#writer.commit({ appends: [], positions: [] })
  }

  /** Throws what the state store throws where it has lost this task's state. */
  async assertStateKept(): Promise<void> {
    await this.#state?.assertKept?.()
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

  /** Some parts of a flush are written, and more are to come. */
  get isFlushing(): boolean {
    return this.#checkpoint !== null
  }

  /** About how much waits to be written, what is left of a flush under way among it. */
  get unflushedBytes(): number {
    return this.#stages.reduce((sum, { keyed }) => sum + (keyed?.changedBytes ?? 0), 0)
  }

  /** Folds a batch of the intake (undefined) or of a stage; its results lie in the outbox. */
  async #fold(stage: RunningStage | undefined, throughMs: number, foldedBefore: number): Promise<number> {
    const { batchRecords, clock, pending } = this.#options
    if (stage !== undefined)
      return stage.fold(this.#log, batchRecords, clock(), null, pending === null ? foldedBefore : undefined)
    const outbox = this.#intakeOutbox
    const isInBacklog = outbox.progressMs !== Number.POSITIVE_INFINITY
    if (throughMs !== Number.POSITIVE_INFINITY && !isInBacklog && this.#intake.hasBacklog(batchRecords))
      outbox.hearOfBacklogs(outbox.backlogs + 1)
    const folded = await this.#intake.fold(batchRecords, outbox, null, throughMs)
    outbox.progressMs = this.#intake.hasBacklog(batchRecords) ? throughMs : Number.POSITIVE_INFINITY
    return folded
  }

  #results(stage: RunningStage | undefined): { readonly appends: Appends[]; readonly positions: readonly Position[] } {
    if (stage === undefined) return { appends: this.#intakeOutbox.take(), positions: this.#intake.positions() }
    const position = { topic: stage.stage.topic, partition: this.number, next: stage.next }
    return { appends: stage.outbox.take(), positions: [position] }
  }

  async #restore(): Promise<void> {
    const state = this.#state
    if (state === null || state.positions.size === 0) return
    const run = await loadRun(state)
    if (run === null) return
    Object.assign(this.counts, run.counts)
    this.#intake.watermarkMs = run.intakeWatermarkMs ?? Number.NEGATIVE_INFINITY
    this.#intake.behindMs = run.intakeBehindMs ?? null
    this.#intakeOutbox.restoreAnnounced(run.intakeAnnouncedMs)
    for (const running of this.#stages) {
      const saved = run.stages[running.stage.name]
      if (saved !== undefined) await running.restore(state, saved)
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
    const { batchRecords, clock } = this.#options
    while ((await this.#intake.fold(batchRecords, this.#intakeOutbox, until)) > 0) this.#intakeOutbox.take()
    this.#intakeOutbox.take()
    for (const running of this.#stages) {
      const { from, committed } = progress.get(running.stage.topic)!
      running.next = from
      while (running.next < committed) {
        if ((await running.fold(this.#log, batchRecords, clock(), committed)) === 0) break
        running.outbox.take()
        if (this.unflushedBytes >= FLUSHED_BYTES) await this.#flushRecovered()
      }
      if (this.#topology.intakeNext.includes(running.stage.name)) await this.#hearIntake(running)
    }
    await this.#flushRecovered()
    this.#dirty = true
  }

  async #flushRecovered(): Promise<void> {
    if (this.#state === null || this.unflushedBytes === 0) return
    this.#dirty = true
    await this.flush()
  }

  /** What the intake said that is on the first stages' topics only: ticks, and its progress in a backlog. */
  async #hearIntake(first: RunningStage): Promise<void> {
    const channel = channelOf(0, this.number)
    const announcedMs = first.watermarks.announcedMs(channel)
    if (announcedMs > this.#intake.watermarkMs) this.#intake.watermarkMs = announcedMs
    if (this.#topology.partitions > 1) this.#intakeOutbox.restoreProgress(await first.toldProgress(this.#log, channel))
  }

  /** Whoever ran this task before may have left records unread anywhere. */
  #pendAll(): void {
    this.#options.pending?.add(pendingKey('intake', this.number))
    for (const { stage } of this.#stages) this.#options.pending?.add(pendingKey(stage.topic, this.number))
  }

  #freeze(): Checkpoint {
    const puts: StatePut[] = []
    const deletes: { readonly table: string; readonly key: string }[] = []
    const positions = new Map(this.#intake.positions().map(({ topic, next }) => [topic, next]))
    const stages: SavedRun['stages'] = {}
    const tables: CheckpointTable[] = []
    /** Repartition topics need nothing that the state store has taken in. */
    const drops: Position[] = []
    let watermarkMs = Number.POSITIVE_INFINITY
    for (const running of this.#stages) {
      const { keyed, watermarks, next } = running
      const { name, topic } = running.stage
      positions.set(topic, next)
      drops.push({ topic, partition: this.number, next })
      if (keyed !== null) tables.push({ keyed, watermarkMs: () => watermarks.currentMs })
      if (this.#state === null) {
        running.forgetChanges()
        continue
      }
      const changes = running.takeChanges()
      for (const put of changes.puts) puts.push(put)
      for (const key of changes.deletes) deletes.push(key)
      stages[name] = running.snapshot()
      watermarkMs = Math.min(watermarkMs, watermarks.currentMs)
    }
    const run: SavedRun = {
      counts: this.counts,
      intakeWatermarkMs: this.#intake.watermarkMs === Number.NEGATIVE_INFINITY ? null : this.#intake.watermarkMs,
      // A replay's records arrive at their event times, which says nothing about a live run after it.
      intakeBehindMs: this.#options.pending === null ? this.#intake.behindMs : null,
      intakeAnnouncedMs: this.#intakeOutbox.announcedMs(),
      stages,
    }
    puts.push(putRun(run))
    const pages = { positions, puts, deletes, watermarkMs }
    // Brokers drop whole segments, rarely, and whatever lies before an offset alike: parts would only take their time.
    const dropRecords = this.#topology.changelog === undefined ? DROPPED_RECORDS : null
    return new Checkpoint(this.#state, this.#log, tables, pages, drops, dropRecords)
  }

  #runningStage(stage: Stage): RunningStage {
    const running: RunningStage = new RunningStage(
      this.#topology,
      stage,
      this.number,
      this.#state,
      () => this.#cachedBytesOf(running),
      (timer, forget) => this.#outbox(this.#topology.stages.indexOf(stage) + 1, stage.next, timer, forget),
    )
    return running
  }

  /** What the other stages leave, and at least half of an even share; states that give way count for nothing, and get what is left. */
  #cachedBytesOf(running: RunningStage): number {
    const { cachedBytes = () => DEFAULT_CACHED_BYTES / this.#topology.partitions } = this.#options
    let left = cachedBytes()
    const least = left / (2 * this.#stages.length)
    for (const { keyed } of this.#stages) if (keyed !== running.keyed && keyed?.givesWay === false) left -= keyed.bytes
    return Math.max(running.keyed?.givesWay ? 0 : least, left)
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
