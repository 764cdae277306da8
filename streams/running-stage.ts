import { type Entry, FEEDBACK, PROGRESS, type Step, TIMER } from '../processors/step.ts'
import { ChannelMerge, type SavedMerge, type ToldProgress, toldBy } from './channel-merge.ts'
import type { EventLog } from './event-log/event-log.ts'
import { fetchOwn } from './fetch-own.ts'
import { KeyedState } from './keyed-state.ts'
import { askModels, type ModelHost } from './model-host.ts'
import { OriginTrail } from './origin.ts'
import type { Outbox } from './outbox.ts'
import { Block, unpack } from './packing.ts'
import type { StatePart, StatePut, TaskState } from './state/state-store.ts'
import { type LoadPages, Timers } from './timers.ts'
import type { Stage, Topology } from './topology.ts'
import { upstreamChannels, Watermarks } from './watermark.ts'

/** Blocks fetched at once. Blocks are small (see outbox.ts), so their number bounds the bytes. */
const FETCH_BLOCKS = 256
/** Entries whose states are read ahead together: these should fit into a core's cache. */
const PREFETCHED = 32
const NO_LIMIT = Number.MAX_SAFE_INTEGER
/** Entries that wait in a stage for the others (`ChannelMerge`) are stored as blocks of so many, numbered from 0. */
const PENDING_PER_PAGE = 1_000

/** What a stage needs besides its keys, timers and resident pages to go on where it stood. */
export interface SavedStage {
  readonly watermarksMs: readonly (number | null)[]
  readonly announcedMs: ReturnType<Outbox['announcedMs']>
  readonly merge: SavedMerge
}

/** What a flush stores of the merge. */
interface MergeState {
  readonly merge: SavedMerge
  readonly pending: readonly Entry[]
}

/** A batch that was taken from the topic and is not folded yet. */
interface TakenBatch {
  readonly batch: readonly Entry[]
  /** Entries that were read from the topic for it. */
  readonly read: number
  /** The next offset to fetch behind it. */
  readonly next: bigint
  /** The merge before it: what belongs to the position that is committed meanwhile. null: it is folded at once. */
  readonly before: MergeState | null
}

/** A batch that models have. */
interface AskedBatch extends TakenBatch {
  readonly answered: Promise<void>
}

/** A stage as one task runs it: its step, with everything that the step leaves to the run loop. */
export class RunningStage {
  readonly stage: Stage
  readonly step: Step
  readonly keyed: KeyedState<unknown> | null
  readonly watermarks: Watermarks
  readonly outbox: Outbox
  /** Everything before this offset is folded, apart from what waits in the merge. */
  next = 0n
  /** The last fetch came back full: there may be more. */
  full = false
  readonly #topology: Topology
  readonly #task: number
  readonly #loadTimers: LoadPages
  readonly #timers = new Timers()
  readonly #merge: ChannelMerge
  readonly #trail: OriginTrail
  readonly #models: ModelHost | null
  #asked: AskedBatch | null = null
  /** The key whose state is being folded, for `forget`. */
  #key = ''
  /** So many pages of waiting entries lie in the state store. */
  #storedPending = 0

  /**
   * @param cachedBytes how much memory the states in front of their store may take. @param outbox makes the
   * stage's outbox, given what to do with timers and with `forget`.
   */
  constructor(
    topology: Topology,
    stage: Stage,
    task: number,
    state: TaskState | null,
    cachedBytes: () => number,
    outbox: (timer: (key: string, atMs: number) => void, forget: () => void) => Outbox,
  ) {
    this.#topology = topology
    this.#task = task
    this.#loadTimers = (names) => state!.load(`${stage.name}/timers`, names)
    this.stage = stage
    this.step = stage.create(task)
    const { table } = this.step
    this.keyed = table && new KeyedState(table, stage.name, state, cachedBytes)
    const channels = upstreamChannels(topology, stage.name)
    this.watermarks = new Watermarks(channels)
    this.#merge = new ChannelMerge(channels)
    this.outbox = outbox(
      (key, atMs) => this.#timers.set(key, atMs),
      () => this.keyed?.forget(this.#key),
    )
    this.#trail = new OriginTrail(stage.name)
    this.#models = stage.models?.(task) ?? null
  }

  /**
   * Folds a batch of the stage's topic; its results lie in the outbox. `until` bounds it while recovering. Returns how many
   * entries were read, 0: none were there.
   *
   * Where models run beside this thread and there is much to do, a batch is left with them (`asked`), and the next call
   * waits for the answer and folds it: meanwhile the loop commits and takes other turns. There is much to do where
   * `foldedBefore`, what this pass has folded already, and the batch come to `batchRecords`. With less the answer is waited
   * for at once: scores would come a commit later, and nothing is gained. Throws what the models' host throws, in the call
   * that waits.
   */
  async fold(
    log: EventLog,
    batchRecords: number,
    takenMs: number,
    until: bigint | null,
    foldedBefore = Number.NEGATIVE_INFINITY,
  ): Promise<number> {
    const isBeside = until === null && this.#models?.runsBeside === true
    const isMuch = (entries: number): boolean => foldedBefore + entries >= batchRecords
    const folded = this.#asked === null ? 0 : await this.#foldAsked(this.#asked, takenMs)
    // One batch a call: the next one can only be left with the models.
    if (folded > 0 && !(isBeside && isMuch(folded))) return folded
    const taken = await this.#take(log, Math.min(batchRecords, FETCH_BLOCKS), until, isBeside)
    if (taken === null) return folded
    const { inquiry } = this.step
    const answered = until === null && inquiry !== undefined ? askModels(inquiry, this.#models, taken.batch) : null
    if (folded > 0 || (isBeside && answered !== null && isMuch(taken.read))) {
      this.#asked = { ...taken, answered: answered ?? Promise.resolve() }
      // A failure is for the call that waits; of a task that is dropped before, nobody wants to know.
      answered?.catch(() => undefined)
      return folded
    }
    if (answered !== null) await answered
    await this.#foldTaken(taken, takenMs)
    return Math.max(1, taken.read)
  }

  /** Entries that models have been asked about and that are not folded yet: the next `fold` does it. */
  get asked(): number {
    return this.#asked === null ? 0 : Math.max(1, this.#asked.read)
  }

  /** The next batch of the topic, merged; null: there is none. `isLeft`: it may be left with models. */
  async #take(log: EventLog, maxRecords: number, until: bigint | null, isLeft: boolean): Promise<TakenBatch | null> {
    const limits = { maxRecords, maxBytes: NO_LIMIT }
    const fetched = await fetchOwn(log, this.stage.topic, this.#task, this.next, limits)
    this.full = fetched.records.length === maxRecords
    if (fetched.records.length === 0 && fetched.next === this.next) return null
    const before = isLeft ? this.#mergeNow() : null
    const batch: Entry[] = []
    let read = 0
    for (const record of fetched.records) {
      if (until !== null && record.offset >= until) break
      const entries = unpack(record.value, this.#topology.bodies)
      read += entries.length
      for (const entry of this.#merge.take(entries, record.timestampMs)) batch.push(entry)
    }
    const next = until !== null && fetched.next > until ? until : fetched.next
    return { batch, read, next, before }
  }

  async #foldAsked(asked: AskedBatch, takenMs: number): Promise<number> {
    await asked.answered
    await this.#foldTaken(asked, takenMs)
    this.#asked = null
    return Math.max(1, asked.read)
  }

  async #foldTaken({ batch, next }: TakenBatch, takenMs: number): Promise<void> {
    this.next = next
    this.outbox.hearOfBacklogs(this.#merge.progress.backlogs)
    const { keyed } = this
    const timers = this.#timers.load(this.#reachMs(batch), this.#loadTimers)
    if (timers !== null) await timers
    keyed?.makeRoom()
    if (keyed !== null && !keyed.isResident) await keyed.load(this.#keysOf(batch))
    this.#foldBatch(batch, takenMs)
    this.outbox.progressMs = this.#merge.progress.progressMs
  }

  /** The merge as of what is folded. */
  #mergeNow(): MergeState {
    return this.#asked?.before ?? { merge: this.#merge.snapshot(), pending: this.#merge.pending }
  }

  /** The progress that `channel` told this stage last, whether it has been read or still lies in the topic. */
  async toldProgress(log: EventLog, channel: number): Promise<ToldProgress> {
    const { topic } = this.stage
    let told = this.#merge.progressOf(channel)
    for (let from = this.next; ; ) {
      const limits = { maxRecords: FETCH_BLOCKS, maxBytes: NO_LIMIT }
      const { records, next } = await fetchOwn(log, topic, this.#task, from, limits)
      if (next === from) return told
      from = next
      for (const { value } of records) {
        for (const entry of unpack(value, this.#topology.bodies)) {
          if (entry.kind === PROGRESS && entry.channel === channel) told = toldBy(entry)
        }
      }
    }
  }

  async restore(state: TaskState, saved: SavedStage): Promise<void> {
    const { name } = this.stage
    this.watermarks.restore(saved.watermarksMs)
    const pages = new Map(await state.scan(`${name}/pending`))
    this.#storedPending = pages.size
    const pending = Array.from(pages, (_, i) => unpack(pages.get(String(i))!, this.#topology.bodies))
    this.#merge.restore(saved.merge, pending.flat())
    this.outbox.restoreProgress(this.#merge.progress)
    this.outbox.restoreAnnounced(saved.announcedMs)
    this.#timers.restore(await state.scan(`${name}/timers`))
    this.step.resident?.restore(await state.scan(`${name}/resident`))
  }

  /** Everything but the keyed state that has changed since the last call. */
  takeChanges(): Omit<StatePart, 'watermarkMs'> {
    const { name } = this.stage
    const puts: StatePut[] = []
    const deletes: { table: string; key: string }[] = []
    const timers = this.#timers.changedPages()
    for (const [key, value] of timers.puts) puts.push({ table: `${name}/timers`, key, value, expiresAtMs: null })
    for (const key of timers.deletes) deletes.push({ table: `${name}/timers`, key })
    for (const [key, value] of this.step.resident?.changedPages() ?? [])
      puts.push({ table: `${name}/resident`, key, value, expiresAtMs: null })
    const { pending } = this.#mergeNow()
    const pages = Math.ceil(pending.length / PENDING_PER_PAGE)
    for (let i = 0; i < pages; i++) {
      const entries = pending.slice(i * PENDING_PER_PAGE, (i + 1) * PENDING_PER_PAGE)
      const value = new Block(entries, this.#topology.bodies).bytes()
      puts.push({ table: `${name}/pending`, key: String(i), value, expiresAtMs: null })
    }
    for (let i = pages; i < this.#storedPending; i++) deletes.push({ table: `${name}/pending`, key: String(i) })
    this.#storedPending = pages
    return { puts, deletes }
  }

  /** Where there is no state store, nobody asks for the changes. */
  forgetChanges(): void {
    this.#timers.forgetChanges()
  }

  snapshot(): SavedStage {
    return {
      watermarksMs: this.watermarks.snapshot(),
      announcedMs: this.outbox.announcedMs(),
      merge: this.#mergeNow().merge,
    }
  }

  #foldBatch(batch: readonly Entry[], takenMs: number): void {
    const { step, keyed, watermarks, outbox } = this
    const timers = this.#timers
    const trail = this.#trail
    const fold = (entry: Entry): void => {
      this.#key = entry.key
      outbox.origin = trail.after(entry.origin ?? null, takenMs)
      step.fold(entry, keyed !== null && entry.key !== '' ? keyed.use(entry.key) : undefined, outbox)
    }
    for (let i = 0; i < batch.length; i++) {
      if (i % PREFETCHED === 0) this.#prefetch(batch, i)
      const entry = batch[i]!
      if (entry.channel !== FEEDBACK) watermarks.advance(entry.channel, entry.watermarkMs)
      outbox.watermarkMs = watermarks.currentMs
      if (entry.body !== null) fold(entry)
      if (watermarks.currentMs >= timers.earliestMs) {
        for (const { key, atMs } of timers.takeDue(watermarks.currentMs)) fold(timerEntry(key, atMs))
      }
      outbox.announce()
    }
  }

  #prefetch(batch: readonly Entry[], from: number): void {
    const { step, keyed } = this
    if (keyed === null || step.prefetch === undefined) return
    const states: unknown[] = []
    for (let i = from; i < batch.length && i < from + PREFETCHED; i++) {
      const state = keyed.peek(batch[i]!.key)
      if (state !== undefined) states.push(state)
    }
    step.prefetch(states)
  }

  /** The keys that folding the batch will touch: its own, and those of the timers that its watermarks make due. */
  #keysOf(batch: readonly Entry[]): string[] {
    const keys = batch.filter(({ key }) => key !== '').map(({ key }) => key)
    for (const key of this.#timers.keysUntil(this.#reachMs(batch))) keys.push(key)
    return keys
  }

  /** No later will the watermark be behind the batch. */
  #reachMs(batch: readonly Entry[]): number {
    return batch.reduce((latest, { watermarkMs }) => Math.max(latest, watermarkMs), this.watermarks.currentMs)
  }
}

function timerEntry(key: string, atMs: number): Entry {
  const watermarkMs = Number.NEGATIVE_INFINITY
  const control = { channel: FEEDBACK, body: null, features: null, origin: null }
  return { kind: TIMER, key, eventTimeMs: atMs, watermarkMs, ...control }
}
