import { createRandom, type Random } from '../../processors/random.ts'
import { readChange } from '../../streams/changelog-record.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import type { Roster } from '../../streams/roster.ts'
import type { Task } from '../../streams/run-task.ts'
import { createFaultyLog, type SharedLog } from './faulty-log.ts'
import { createFaultyStore, SharedStore } from './faulty-store.ts'
import { Journal } from './journal.ts'
import { lateModels } from './late-models.ts'
import type { Scene, Sent } from './scene.ts'
import { type Actor, Scheduler, type Verdict } from './scheduler.ts'
import { differences, followJournal, leftBehind, recordsOf } from './twin.ts'
import { runWorker, type Surroundings } from './worker.ts'

/** What was done to a run, and how often. */
export type FaultKind =
  | 'crash before a commit'
  | 'crash after a commit'
  | 'crash elsewhere'
  | 'commit failed'
  | 'commit answer lost'
  | 'call failed'
  | 'zombie'
  | 'rebalance'
  | 'flush half staged'
  | 'store lost'
  | 'store behind'
  | 'delivered twice'
  | 'answered after a commit'

export interface Simulated {
  readonly seed: number
  readonly steps: number
  readonly commits: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** What the run gave that an unbroken one would not have given. Empty: all is well. */
  readonly wrong: readonly string[]
}

/** How the loop or its adapters are made wrong, to see that the check can see. */
export interface Variant {
  /** 'none': the store is never lost or put back. */
  readonly storeFaults: 'all' | 'none'
  readonly fencing: 'on' | 'off'
  readonly order: 'commit, then flush' | 'flush, then commit'
}

export const AS_BUILT: Variant = { storeFaults: 'all', fencing: 'on', order: 'commit, then flush' }

/** Steps with faults, then so many without to come to rest. */
const FAULTY_STEPS = 600
const MOST_STEPS = 60_000
/** Processing time between two steps once the faults are over: what waits for a time comes to its turn. */
const CALM_STEP_MS = 100

/**
 * One run of a scene from one seed: workers take passes over shared memory adapters, one call at a time, in a drawn order
 * and with drawn faults; then the faults end, the run drains, and what it left must equal an unbroken run's bytes.
 */
export async function simulate(
  seed: number,
  makeScene: (random: Random) => Scene,
  variant: Variant = AS_BUILT,
): Promise<Simulated> {
  const scene = makeScene(createRandom(seed, 1))
  const run = new Run(seed, scene, variant)
  let wrong: string[]
  try {
    await run.untilRest()
    wrong = await run.verify()
  } catch (error) {
    wrong = [error instanceof Error ? (error.stack ?? error.message) : String(error)]
  }
  const { faults, scheduler, journal } = run
  return { seed, steps: scheduler.step, commits: journal.commits.length, faults, wrong }
}

interface Worker {
  readonly actor: Actor
  /** The tasks that the membership says are its own. */
  readonly tasks: Set<number>
  roster: Roster | null
  quietAt: number
  quietTasks: readonly Task[]
}

class Run {
  readonly scheduler: Scheduler
  readonly journal = new Journal()
  readonly faults: Partial<Record<FaultKind, number>> = {}
  readonly #scene: Scene
  readonly #variant: Variant
  readonly #random: Random
  readonly #shared: SharedLog
  readonly #store: SharedStore
  readonly #workers: Worker[] = []
  readonly #together: 'grouped' | 'single'
  readonly #commitPer: 'pass' | 'round'
  readonly #models: 'at once' | 'late'
  /** How likely each fault is at a place where it can happen; some seeds have none of some kinds. */
  readonly #rate: (kind: FaultKind) => number
  #producer: Actor | null = null
  #nowMs: number
  #isOver = false
  readonly #flushing = new Set<string>()
  #isCalm = false
  #isSent = false
  #appended = 0

  constructor(seed: number, scene: Scene, variant: Variant) {
    this.scheduler = new Scheduler(seed)
    this.#random = this.scheduler.random
    this.#scene = scene
    this.#variant = variant
    this.#shared = {
      inner: createMemoryLog(),
      journal: this.journal,
      fencing: variant.fencing,
      newest: new Map(),
    }
    this.#store = new SharedStore(variant.fencing, (task, { positions }) =>
      variant.order === 'commit, then flush' ? positions : this.#committed(task, positions),
    )
    this.#nowMs = scene.sent[0]!.record.timestampMs
    this.#together = this.#random.chance(0.5) ? 'grouped' : 'single'
    this.#commitPer = this.#random.chance(0.5) ? 'pass' : 'round'
    this.#models = this.#random.chance(0.3) ? 'at once' : 'late'
    const rates = new Map<FaultKind, number>()
    this.#rate = (kind) => {
      let rate = rates.get(kind)
      if (rate === undefined) {
        rate = this.#random.chance(0.6) ? this.#random.float() : 0
        rates.set(kind, rate)
      }
      return rate
    }
  }

  async untilRest(): Promise<void> {
    const { topology, sent } = this.#scene
    const twice = sent.length - new Set(sent).size
    if (twice > 0) this.faults['delivered twice'] = twice
    await this.#shared.inner.ensureTopics(topology.topics)
    const count = 1 + this.#random.below(3)
    for (let i = 0; i < count; i++) await this.#startWorker(i)
    for (let task = 0; task < topology.partitions; task++) this.#assign(task, this.#workers[task % count]!)
    this.#producer = await this.scheduler.start('producer', (actor) => this.#produce(actor))
    while (this.scheduler.actors.some(({ isEnded }) => !isEnded)) {
      if (!this.#isCalm && this.scheduler.step >= FAULTY_STEPS && this.#producer.waiting[0]?.what === 'idle')
        this.#calm()
      if (this.scheduler.step > MOST_STEPS) throw new Error('the run does not come to rest')
      if (!this.#isCalm) await this.#disturb()
      const ready = this.scheduler.ready()
      if (ready.length === 0) {
        this.scheduler.step++
        continue
      }
      const actor = ready[this.#random.below(ready.length)]!
      await this.scheduler.release(actor, (what) => this.#verdict(actor, what))
      this.#nowMs += this.#isCalm ? CALM_STEP_MS : 1
      this.#isOver ||= this.#isSent && this.#isAtRest()
    }
  }

  async verify(): Promise<string[]> {
    const wrong = await this.#scene.account(this.#shared.inner)
    const { topology, batchRecords } = this.#scene
    const twin = await followJournal(topology, this.#shared.inner, this.journal.commits, batchRecords)
    const actual = await leftBehind(topology, { log: this.#shared.inner, store: this.#store.inner })
    return [...wrong, ...differences(actual, await leftBehind(topology, twin))]
  }

  #count(kind: FaultKind): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1
  }

  /** Draws whether a fault of this kind happens where `base` says how likely the likeliest seed has it. */
  #happens(kind: FaultKind, base: number): boolean {
    if (!this.#random.chance(base * this.#rate(kind))) return false
    this.#count(kind)
    return true
  }

  #verdict(actor: Actor, what: string): Verdict {
    if (this.#isCalm || actor === this.#producer) return 'go on'
    switch (what) {
      case 'commit':
        if (this.#happens('crash before a commit', 0.1)) return 'die'
        return this.#happens('commit failed', 0.1) ? 'fail' : 'go on'
      case 'after commit':
      case 'after together':
        if (this.#happens('crash after a commit', 0.1)) return 'die'
        return this.#happens('commit answer lost', 0.1) ? 'fail' : 'go on'
      case 'after stage':
        return this.#happens('flush half staged', 0.6) ? 'die' : 'go on'
      case 'idle':
      case 'down':
      case 'together':
        return 'go on'
      default:
        if (this.#happens('crash elsewhere', 0.02)) return 'die'
        return this.#happens('call failed', 0.02) ? 'fail' : 'go on'
    }
  }

  /** What happens to the world between two steps. */
  async #disturb(): Promise<void> {
    if (this.scheduler.actors.some(({ isExclusive }) => isExclusive)) return
    const worker = this.#workers[this.#random.below(this.#workers.length)]!
    const { actor } = worker
    if (worker.roster !== null && this.#happens('zombie', 0.01)) {
      actor.frozenUntil = this.scheduler.step + 20 + this.#random.below(200)
      for (const task of [...worker.tasks]) this.#move(task)
    }
    if (this.#happens('rebalance', 0.02)) this.#move(this.#random.below(this.#scene.topology.partitions))
    if (this.#random.chance(0.01)) await this.#compact()
    if (this.#variant.storeFaults === 'none') return
    if (this.#happens('store lost', 0.004)) await this.#store.putBack(0)
    const { length } = this.#store.flushes
    if (length > 0 && this.#happens('store behind', 0.006))
      await this.#store.putBack(Math.max(0, length - 1 - this.#random.below(8)))
  }

  /** The servers compact when they like, but leave a flush that does not count yet alone (`min.compaction.lag.ms`). */
  async #compact(): Promise<void> {
    const { inner } = this.#shared
    const { scenario, partitions, changelog } = this.#scene.topology
    if (changelog === undefined) return
    for (let partition = 0; partition < partitions; partition++) {
      const [newest] = (await recordsOf(inner, changelog, partition)).slice(-1)
      const counts = await inner.committed(`rheo-${scenario}`, changelog, partition)
      if (newest !== undefined && (counts === undefined || readChange(newest).flush > counts)) return
    }
    await inner.clean(this.#nowMs)
  }

  /** Gives a task to any worker, perhaps the one that has it. */
  #move(task: number): void {
    for (const { tasks, roster } of this.#workers) {
      if (!tasks.delete(task)) continue
      roster?.revoked([task]).catch(ignored)
    }
    this.#assign(task, this.#workers[this.#random.below(this.#workers.length)]!)
  }

  #assign(task: number, { tasks, roster }: Worker): void {
    tasks.add(task)
    roster?.assigned([task]).catch(ignored)
  }

  #calm(): void {
    this.#isCalm = true
    for (const actor of this.scheduler.actors) actor.frozenUntil = 0
  }

  /** Commits and records of producers, so far. */
  get #writes(): number {
    return this.journal.commits.length + this.#appended
  }

  /** Every task has an owner whose last pass over it found nothing, and nothing was written since it began. */
  #isAtRest(): boolean {
    const writes = this.#writes
    return this.#workers.every(
      ({ tasks, quietAt, quietTasks }) =>
        tasks.size === 0 ||
        (quietAt === writes && [...tasks].every((number) => quietTasks.some((task) => task.number === number))),
    )
  }

  async #startWorker(number: number): Promise<void> {
    const tasks = new Set<number>()
    const worker: { -readonly [Name in keyof Worker]?: Worker[Name] } = {
      tasks,
      roster: null,
      quietAt: -1,
      quietTasks: [],
    }
    this.#workers.push(worker as Worker)
    await this.scheduler.start(`worker ${number}`, (actor) => {
      worker.actor = actor
      return runWorker(this.#surroundings(actor, worker as Worker))
    })
  }

  #surroundings(actor: Actor, worker: Worker): Surroundings {
    let clockMs = this.#nowMs
    const point = (what: string): Promise<'go on' | 'fail'> => this.scheduler.point(actor, what)
    const log: EventLog = createFaultyLog(this.#shared, {
      point,
      together: this.#together,
      clockMs: () => clockMs,
      exclusive: (is) => {
        actor.isExclusive = is
      },
      beforeCommit: (name) => this.#beforeCommit(worker, name),
    })
    const { topology } = this.#scene
    return {
      topology:
        this.#models === 'at once'
          ? topology
          : lateModels(topology, point, (task) => {
              const asked = this.journal.commits.length
              return () => {
                if (this.journal.commits.slice(asked).some((commit) => commit.task === task))
                  this.#count('answered after a commit')
              }
            }),
      batchRecords: this.#scene.batchRecords,
      cachedBytes: this.#scene.cachedBytes,
      commitPer: this.#commitPer,
      log,
      store: createFaultyStore(this.#store, point),
      random: this.#random,
      clockMs: () => clockMs,
      tick: () => {
        clockMs = this.#nowMs
      },
      joined: (roster) => {
        worker.roster = roster
        roster.assigned([...worker.tasks]).catch(ignored)
      },
      restart: async () => {
        worker.roster = null
        actor.frozenUntil = this.#isCalm ? 0 : this.scheduler.step + this.#random.below(60)
        await point('down')
      },
      quiet: (quietTasks, writesBefore) => {
        worker.quietAt = writesBefore
        worker.quietTasks = quietTasks
      },
      writes: () => this.#writes,
      isOver: () => this.#isOver,
      assigned: () => worker.tasks.size,
    }
  }

  /** Flush before commit: what is about to be committed is in the store already, and dying now leaves it there. */
  async #beforeCommit({ roster }: Worker, name: string): Promise<void> {
    // A flush commits, too: to the changelog.
    if (this.#variant.order === 'commit, then flush' || this.#flushing.has(name)) return
    this.#flushing.add(name)
    try {
      await roster?.tasks.find(({ number }) => name.endsWith(`-${number}`))?.flush()
    } finally {
      this.#flushing.delete(name)
    }
  }

  /** What a loop that flushes before it commits can know of its positions. */
  async #committed(task: string, positions: ReadonlyMap<string, bigint>): Promise<ReadonlyMap<string, bigint>> {
    const number = Number(task.slice(task.lastIndexOf('-') + 1))
    const committed = new Map<string, bigint>()
    for (const topic of positions.keys()) {
      const next = await this.#shared.inner.committed(`rheo-${this.#scene.topology.scenario}`, topic, number)
      if (next !== undefined) committed.set(topic, next)
    }
    return committed
  }

  async #produce(actor: Actor): Promise<void> {
    const send = async ({ topic, partition, record }: Sent): Promise<void> => {
      await this.scheduler.point(actor, 'produce')
      await this.#shared.inner.append([{ topic, partition, records: [record] }])
      this.#appended++
    }
    for (const sent of this.#scene.sent) await send(sent)
    while (!this.#isCalm) await this.scheduler.point(actor, 'idle')
    for (const sent of this.#scene.closing) await send(sent)
    this.#isSent = true
  }
}

/** What a membership would be told of a change that its process did not live to carry out. */
function ignored(): void {
  // The roster throws the same error where its worker sees it.
}
