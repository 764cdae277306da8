import type { Random } from '../../processors/random.ts'
import { RheoError } from '../../schemas/errors.ts'
import { ALL_BYTES } from '../../streams/checkpoint.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { Roster } from '../../streams/roster.ts'
import { Task } from '../../streams/run-task.ts'
import type { StateStore } from '../../streams/state/state-store.ts'
import type { Topology } from '../../streams/topology.ts'
import { Crash } from './scheduler.ts'

/** What a worker sees of the simulation. */
export interface Surroundings {
  readonly topology: Topology
  readonly log: EventLog
  readonly store: StateStore
  readonly batchRecords: number
  readonly cachedBytes: number
  /** As in the live loop's plan. */
  readonly commitPer: 'pass' | 'round'
  readonly random: Random
  /** Processing time; stands still between two calls of `tick`. */
  clockMs(): number
  tick(): void
  /** The roster of a process that has come up, to be told of assignments from now on. */
  joined(roster: Roster): void
  /** After a crash: waits until the process is up again. */
  restart(): Promise<void>
  /** A pass of these tasks found nothing; `writesBefore`: what had been written to the log when it began. */
  quiet(tasks: readonly Task[], writesBefore: number): void
  writes(): number
  isOver(): boolean
  /** How many tasks are this worker's. */
  assigned(): number
}

/** Parts of a flush, in bytes of state: so small that most flushes have several. */
const PART_BYTES = [1, 1_500, 4_000, ALL_BYTES]

/** A worker process, as the live loop runs one, but without its timers: passes, parts of flushes, retries, restarts. */
export async function runWorker(world: Surroundings): Promise<void> {
  const { topology, log, store, batchRecords, cachedBytes } = world
  const options = { clock: () => world.clockMs(), batchRecords, pending: null, cachedBytes: () => cachedBytes }
  for (;;) {
    const roster = new Roster((number) => Task.start(topology, number, log, store, options), world.clockMs, 'several')
    world.joined(roster)
    try {
      return await retry(world, roster)
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      await world.restart()
    }
  }
}

async function retry(world: Surroundings, roster: Roster): Promise<void> {
  for (;;) {
    try {
      return await runTasks(world, roster)
    } catch (error) {
      if (!(error instanceof RheoError) || !(error.retryable || error.code === 'FENCED')) throw error
      roster.forget()
    }
  }
}

async function runTasks(world: Surroundings, roster: Roster): Promise<void> {
  const { log, random } = world
  for (;;) {
    world.tick()
    await roster.settle()
    const { tasks } = roster
    const writesBefore = world.writes()
    const folded = await (world.commitPer === 'pass' ? pass(world, tasks) : rounds(world, roster))
    if (folded === 0) {
      world.quiet(roster.tasks, writesBefore)
      await log.changed(1)
    }
    if (world.isOver()) {
      // A task that was taken at the last moment comes back, and is flushed then.
      let flushed = 0
      for (const task of roster.tasks) if ((await roster.guard(task, () => flushAll(task))) === true) flushed++
      if (flushed === world.assigned()) return
      continue
    }
    for (const task of roster.tasks) {
      const bytes = PART_BYTES[random.below(PART_BYTES.length)]!
      if (random.chance(0.3)) await roster.guard(task, () => task.flushPart(bytes))
    }
  }
}

async function flushAll(task: Task): Promise<true> {
  await task.flush()
  return true
}

/** Once through the stages, all of it durable together where the log can do that. */
async function pass(world: Surroundings, tasks: readonly Task[]): Promise<number> {
  const throughMs = await alignedMs(world, tasks)
  const stages = Math.max(0, ...tasks.map((task) => task.stageCount))
  return world.log.together(async () => {
    let folded = 0
    for (let stage = 0; stage < stages; stage++) {
      for (const task of tasks) if (stage < task.stageCount) folded += await task.turn(stage, throughMs, folded)
    }
    return folded
  })
}

/** A round of every task, side by side; a task that was taken over is left to its new owner. */
async function rounds(world: Surroundings, roster: Roster): Promise<number> {
  const { tasks } = roster
  const throughMs = await alignedMs(world, tasks)
  const flushBytes = (): number => (world.random.chance(0.3) ? PART_BYTES[world.random.below(PART_BYTES.length)]! : 0)
  const ended = await Promise.allSettled(
    tasks.map((task) => roster.guard(task, () => task.round(throughMs, flushBytes()))),
  )
  let folded = 0
  for (const round of ended) {
    if (round.status === 'rejected') throw round.reason
    folded += round.value ?? 0
  }
  return folded
}

/** Source partitions are read up to the same moment while one of them has a backlog. */
async function alignedMs({ topology }: Surroundings, tasks: readonly Task[]): Promise<number> {
  if (topology.partitions < 2) return Number.POSITIVE_INFINITY
  return Math.min(...(await Promise.all(tasks.map((task) => task.reachMs()))))
}
