import { eventOf } from '../streams/event-value.ts'
import type { Output, Topology } from '../streams/topology.ts'
import { createDenseLearner, type DenseLearnerOptions } from './dense-learner.ts'

/** Trains a dense model beside a live run, from the scores and outcomes that stand in its log. */
export interface DenseFollower {
  /** Reads on, a bounded part, learns, and publishes the versions that are due. Returns how many records it took. */
  advance(): Promise<number>
  close(): Promise<void>
}

export interface DenseFollowerOptions extends DenseLearnerOptions {
  /** Scores first, then outcomes. */
  readonly topology: Topology
  /** Processing time, milliseconds since 1970. */
  readonly clock: () => number
  /**
   * Whoever appends does it so soon after the timestamp that the record carries. 0: nobody appends while `advance` reads, as
   * in the process that appends.
   */
  readonly settledMs: number
}

/** So much is read at once that a pass is not held up by more than some tens of milliseconds. */
const LIMITS = { maxRecords: 1_024, maxBytes: 8 * 1_048_576 }

interface Taken {
  readonly event: object
  /** Processing time; never before that of an earlier record of the partition. */
  readonly atMs: number
}

/** One partition of an output topic. */
interface Reader {
  readonly output: Output
  readonly partition: number
  next: bigint
  /** Everything before this time, processing time, was fetched. */
  reachedMs: number
  /** Fetched and not taken yet, outcomes only. */
  held: Taken[]
}

/**
 * Begins at the log's beginning: the model is a projection of it, and a run that is started again trains it again to the same
 * bytes, also in another process; versions that the log knows are not published twice. Outcomes of several partitions are taken
 * in the order of their timestamps, and one only when no partition can bring an earlier one.
 */
export async function followForDense(options: DenseFollowerOptions): Promise<DenseFollower> {
  const { log, topology, clock, settledMs } = options
  const learner = await createDenseLearner(options)
  const [scoreOutput, outcomeOutput] = topology.outputs
  const reader = (output: Output, partition: number): Reader => {
    return { output, partition, next: 0n, reachedMs: Number.NEGATIVE_INFINITY, held: [] }
  }
  const partitions = Array.from({ length: topology.partitions }, (_, partition) => partition)
  const scores = partitions.map((partition) => reader(scoreOutput!, partition))
  const outcomes = partitions.map((partition) => reader(outcomeOutput!, partition))

  /** Reads on in a partition, and how far that reaches. */
  async function readOn(from: Reader): Promise<Taken[]> {
    const { output, partition, reachedMs } = from
    const settledNowMs = clock() - settledMs
    const fetched = await log.fetch(output.topic, partition, from.next, LIMITS)
    from.next = fetched.next
    const taken: Taken[] = []
    for (const { value, timestampMs } of fetched.records) {
      if (value instanceof Uint8Array) await output.codec.prepare(value)
      from.reachedMs = Math.max(from.reachedMs, timestampMs)
      taken.push({ event: eventOf(value, output.codec), atMs: from.reachedMs })
    }
    if (taken.length === 0) from.reachedMs = Math.max(reachedMs, settledNowMs)
    return taken
  }

  /** The earliest outcome whose score is known, if no partition can bring an earlier one; null: none for now. */
  function earliest(): Reader | null {
    const first = outcomes
      .filter(({ held }) => held.length > 0)
      .reduce<Reader | null>(
        (best, one) => (best === null || one.held[0]!.atMs < best.held[0]!.atMs ? one : best),
        null,
      )
    if (first === null) return null
    const { atMs } = first.held[0]!
    const isFirst = outcomes.every(({ held, reachedMs }) => held.length > 0 || reachedMs > atMs)
    // An outcome is appended with its score or after it.
    return isFirst && scores[first.partition]!.reachedMs > atMs ? first : null
  }

  return {
    async advance() {
      let count = 0
      for (const from of scores) {
        const taken = await readOn(from)
        for (const { event } of taken) learner.score(event)
        count += taken.length
      }
      for (const from of outcomes) if (from.held.length === 0) from.held = await readOn(from)
      for (let from = earliest(); from !== null; from = earliest()) {
        const { event, atMs } = from.held.shift()!
        learner.outcome(event, atMs)
        count++
      }
      await learner.advance(Number.POSITIVE_INFINITY)
      return count
    },
    close: () => learner.close(),
  }
}
