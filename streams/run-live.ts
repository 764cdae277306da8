import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { RheoError } from '../schemas/errors.ts'
import type { EventLog, MaybePromise } from './event-log/event-log.ts'
import { FlushBeside } from './flush-beside.ts'
import { LiveFlush, type LiveFlushLimits } from './live-flush.ts'
import { createSoleMembership, type Membership } from './membership.ts'
import { type Guard, Roster } from './roster.ts'
import { RoundFlush, type RoundFlushLimits } from './round-flush.ts'
import { Task } from './run-task.ts'
import type { StateStore } from './state/state-store.ts'
import { Ticker } from './ticks.ts'
import type { Topology } from './topology.ts'

/** What one pass over the stages did. */
export interface LivePass {
  /** Records and entries folded, or left with models; 0 while nothing comes in. */
  readonly folded: number
  /** Processing time from the first read to the last commit. */
  readonly tookMs: number
  readonly tasks: readonly Task[]
  /** 'draining' after the abort: nothing new should be appended. */
  readonly phase: 'running' | 'draining'
}

export interface LivePlan {
  readonly topology: Topology
  readonly log: EventLog
  readonly store: StateStore
  /** Which tasks this process runs. Default: all; then another process that runs one of them ends this run. */
  readonly membership?: Membership
  /**
   * What one commit holds: 'pass', all stages of all tasks one after the other, readable in between (`EventLog.together`:
   * embedded logs); 'round', a batch of every stage of one task (a log on which each commit is dear); there, too, a pass,
   * while this process runs all tasks and the log can unite them (`EventLog.unite`). Default 'pass'.
   */
  readonly commitPer?: 'pass' | 'round'
  /** Its abort drains and ends the run. */
  readonly signal: AbortSignal
  /** Processing time, milliseconds since 1970. */
  readonly clock: () => number
  readonly batchRecords: number
  /**
   * A flush of state begins this long after the last one's end, processing time, or later where flushes would take
   * more of the time than they may (`live-flush.ts`). Default 1,000, and 5,000 where a flush is written down in the log, too:
   * there every flush is a copy of what changed until the log is compacted.
   */
  readonly flushEveryMs?: number
  /** A sooner flush once so many bytes of state have changed: bounds memory, and what a restart folds again. Default 256 MiB, or 48. */
  readonly flushBytes?: number
  /** How long a pass waits for records that nobody announces. Default 20. */
  readonly idleMs?: number
  /** After the abort, how long to go on folding what others keep appending. Default 5,000. */
  readonly drainMs?: number
  /** After tasks have recovered, before the next pass: at the start, after each retry and change of membership. */
  onStart?(tasks: readonly Task[]): void
  /** After every pass: its results are durable and readable. It may read from and append to the same log. */
  onPass?(pass: LivePass): MaybePromise<void>
  /** A retryable failure: the run starts again from its checkpoint after a pause. */
  onRetry?(error: RheoError, attempt: number): void
}

/** Retries without a flush in between, with pauses of 0.1, 0.2, … 3.2 s: about 6 s in all. */
const MOST_RETRIES = 6
const FIRST_PAUSE_MS = 100
const MIB = 1_048_576
/**
 * Passes that find little begin this far apart: what comes in meanwhile shares one commit. Each commit costs pages, so
 * one for every record would fill the write-ahead log, whose write-back then stops everything.
 */
const PASS_EVERY_MS = 5
/** Beside the log: a part takes 3 ms on SQLite. */
const FLUSH: LiveFlushLimits = { everyMs: 1_000, share: 0.03, partBytes: 128 * 1_024, mostBytes: 256 * MIB }
/** Written down in the log, too, with what rounds commit anyway. */
const ROUND_FLUSH: RoundFlushLimits = { everyMs: 5_000, partBytes: 128 * 1_024, mostBytes: 48 * MIB }
/** Beside passes: larger parts, since each is a commit of its own. */
const BESIDE_FLUSH: RoundFlushLimits = { ...ROUND_FLUSH, partBytes: 256 * 1_024 }
/** Where state is kept elsewhere, the states that a worker holds in front of their store take so much memory. */
const CACHED_BYTES = 64 * MIB
/** While nothing comes in, processing time: with nothing to read or write, a lost state store is not noticed otherwise. */
const LOOK_AT_STATE_EVERY_MS = 5_000
/** Retention and compaction, processing time. */
const CLEAN_EVERY_MS = 3_600_000

/**
 * Runs this process's tasks of a topology until `signal` aborts, then drains, flushes and leaves. Each pass takes a bounded
 * batch through every stage and makes it durable at once.
 *
 * What cannot be retried is thrown: FENCED when another process took a scenario over that this one runs alone. A retryable
 * failure throws away what is in memory and starts from the checkpoint, as after a crash; so does a process that is
 * started again.
 */
export async function runLive(plan: LivePlan): Promise<void> {
  const { topology, log, store, clock, batchRecords } = plan
  const owners = plan.membership === undefined ? 'one' : 'several'
  const cachedBytes = (): number => CACHED_BYTES / Math.max(1, roster.tasks.length)
  const options = { clock, batchRecords, pending: null, ...(topology.changelog === undefined ? {} : { cachedBytes }) }
  const roster: Roster = new Roster((number) => Task.start(topology, number, log, store, options), clock, owners)
  const membership = plan.membership ?? createSoleMembership(topology.partitions)
  const joined = membership.join(roster)
  joined.catch((error: unknown) => roster.failed(error))
  let retries = 0
  try {
    for (;;) {
      try {
        await runUntilAbort(plan, roster, () => {
          retries = 0
        })
        return
      } catch (error) {
        if (!(error instanceof RheoError)) throw error
        const isFenced = error.code === 'FENCED'
        if (isFenced && owners === 'one') throw takenOver(topology.scenario, error)
        if (!(isFenced || error.retryable) || retries === MOST_RETRIES) throw error
        plan.onRetry?.(error, ++retries)
        await sleep(FIRST_PAUSE_MS * 2 ** (retries - 1))
        if (owners === 'several') await leaveTaken(roster)
        roster.forget()
      }
    }
  } finally {
    roster.end()
    await membership.leave()
  }
}

async function runUntilAbort(plan: LivePlan, roster: Roster, flushed: () => void): Promise<void> {
  const { topology, log, signal, clock, batchRecords } = plan
  const { idleMs = 20, drainMs = 5_000 } = plan
  const limits = plan.commitPer === 'round' ? ROUND_FLUSH : FLUSH
  const { flushEveryMs: everyMs = limits.everyMs, flushBytes: mostBytes = limits.mostBytes } = plan
  const betweenPasses = new LiveFlush(() => roster.tasks, clock, roster.guard, { ...FLUSH, everyMs, mostBytes })
  const withRounds = new RoundFlush(clock, { ...ROUND_FLUSH, everyMs, mostBytes })
  const beside = new FlushBeside(clock, roster.guard, { ...BESIDE_FLUSH, everyMs, mostBytes })
  let tasks: readonly Task[] = []
  let ticker: Ticker | null = null
  let isUnited = false
  let cleanedMs = clock()
  let sawStateMs = clock()
  let drainUntilMs: number | null = null

  for (;;) {
    if (signal.aborted) drainUntilMs ??= clock() + drainMs
    const nextPassMs = performance.now() + PASS_EVERY_MS
    if (roster.isUnsettled) await beside.settled()
    await roster.settle()
    if (tasks !== roster.tasks) {
      tasks = roster.tasks
      ticker = createTicker(topology, tasks, clock, roster.guard)
      isUnited = await unite(plan, tasks)
      plan.onStart?.(tasks)
    }
    const tick = async (): Promise<void> => {
      if (drainUntilMs === null) await ticker?.advance()
    }
    if (!isUnited) await tick()
    const startMs = performance.now()
    const folded = isUnited
      ? await unitedPass(plan, tasks, tick)
      : plan.commitPer === 'round'
        ? await rounds(plan, roster, withRounds, flushed)
        : await pass(plan, roster)
    const tookMs = performance.now() - startMs
    await plan.onPass?.({ folded, tookMs, tasks, phase: drainUntilMs === null ? 'running' : 'draining' })
    if (drainUntilMs !== null && (folded === 0 || clock() >= drainUntilMs)) break
    if (isUnited ? await beside.advance(roster.tasks) : plan.commitPer !== 'round' && (await betweenPasses.advance()))
      flushed()
    if (folded > 0) sawStateMs = clock()
    else if (clock() - sawStateMs >= LOOK_AT_STATE_EVERY_MS) {
      sawStateMs = clock()
      for (const task of roster.tasks) await roster.guard(task, () => task.assertStateKept())
    }
    if (clock() - cleanedMs >= CLEAN_EVERY_MS) {
      cleanedMs = clock()
      await log.clean(cleanedMs)
    }
    // Signals and timers get their turn after every pass, however much there is to do.
    if (folded === 0) await Promise.race([log.changed(idleMs), roster.changed(idleMs)])
    else if (folded < batchRecords && nextPassMs - performance.now() >= 1) await sleep(nextPassMs - performance.now())
    else await nextTurn()
  }
  await beside.settled()
  for (const task of roster.tasks) await roster.guard(task, () => task.flush())
}

/** Whether this process runs all tasks, and the log lets them commit as one from now on. */
async function unite({ topology, log, commitPer }: LivePlan, tasks: readonly Task[]): Promise<boolean> {
  if (commitPer !== 'round' || log.unite === undefined) return false
  const runsAll = tasks.length === topology.partitions
  return log.unite(`rheo-${topology.scenario}`, runsAll ? topology.stages.map(({ topic }) => topic) : null)
}

/** Those of the tasks that other processes have taken are left to them. */
async function leaveTaken(roster: Roster): Promise<void> {
  for (const task of roster.tasks) {
    try {
      await roster.guard(task, () => task.confirm())
    } catch (error) {
      // The log is away: acquiring the task again will tell.
      if (!(error instanceof RheoError)) throw error
    }
  }
}

function createTicker(topology: Topology, tasks: readonly Task[], clock: () => number, guard: Guard): Ticker | null {
  const { idleness, announceEveryMs } = topology
  return idleness === undefined ? null : new Ticker(tasks, clock, idleness, announceEveryMs, guard)
}

/** A round of every task, side by side, with parts of their flushes. Returns how much was folded. */
async function rounds(plan: LivePlan, roster: Roster, flush: RoundFlush, flushed: () => void): Promise<number> {
  const { tasks } = roster
  const throughMs = await alignedMs(plan.topology, tasks)
  const parts = flush.parts(tasks)
  const ended = await Promise.allSettled(
    tasks.map((task, i) => roster.guard(task, () => task.round(throughMs, parts[i]))),
  )
  let folded = 0
  for (const round of ended) {
    if (round.status === 'rejected') throw round.reason
    folded += round.value ?? 0
  }
  if (flush.ended(tasks, parts)) flushed()
  return folded
}

/** Once through the stages, all tasks side by side, in one commit. Returns how much was folded. */
async function unitedPass(plan: LivePlan, tasks: readonly Task[], tick: () => Promise<void>): Promise<number> {
  const throughMs = await alignedMs(plan.topology, tasks)
  const stages = Math.max(0, ...tasks.map((task) => task.stageCount))
  return plan.log.together(async () => {
    await tick()
    let folded = 0
    for (let stage = 0; stage < stages; stage++) {
      const taking = tasks.filter((task) => stage < task.stageCount)
      const turns = await Promise.allSettled(taking.map((task) => task.turn(stage, throughMs, folded)))
      for (const turn of turns) {
        if (turn.status === 'rejected') throw turn.reason
        folded += turn.value
      }
    }
    return folded
  })
}

/** Once through the stages in the order in which records flow. Returns how much was folded. */
async function pass(plan: LivePlan, roster: Roster): Promise<number> {
  const { tasks } = roster
  const throughMs = await alignedMs(plan.topology, tasks)
  const stages = Math.max(0, ...tasks.map((task) => task.stageCount))
  return plan.log.together(async () => {
    let folded = 0
    for (let stage = 0; stage < stages; stage++) {
      for (const task of tasks) if (stage < task.stageCount) folded += await task.turn(stage, throughMs, folded)
    }
    return folded
  })
}

/**
 * Keeps source partitions together in event time: none goes on to what is later than the end of the batch of the one that
 * comes least far. So after an outage, features that meet in a later stage are what they would have been without it.
 */
async function alignedMs({ partitions }: Topology, tasks: readonly Task[]): Promise<number> {
  if (partitions < 2) return Number.POSITIVE_INFINITY
  return Math.min(...(await Promise.all(tasks.map((task) => task.reachMs()))))
}

function takenOver(scenario: string, cause: RheoError): RheoError {
  return new RheoError('FENCED', `another process took over the scenario "${scenario}" on this log`, {
    cause,
    hint: 'One process at a time runs a scenario: stop the other one, or give this one its own folder with --state.',
  })
}
