import type { EventLog, LogRecord } from '../streams/event-log/event-log.ts'
import { eventOf } from '../streams/event-value.ts'
import type { Output, Topology } from '../streams/topology.ts'
import { createDenseLearner, type DenseLearnerOptions } from './dense-learner.ts'

/** Trains a dense model beside a live run, from the scores and outcomes that stand in its log. */
export interface DenseFollower {
  /** Reads on, a bounded part, learns, and publishes the versions that are due. */
  advance(): Promise<void>
  close(): Promise<void>
}

/** So much is read at once that a pass is not held up by more than some tens of milliseconds. */
const LIMITS = { maxRecords: 1_024, maxBytes: 8 * 1_048_576 }

interface Reader {
  readonly output: Output
  readonly partition: number
  next: bigint
  /** Fetched and not taken yet. */
  records: readonly LogRecord[]
}

/**
 * Begins at the log's beginning: the model is a projection of it, and a run that is started again trains it again to the same
 * bytes; versions that the log knows are not published twice. With several partitions the order of examples, and so the
 * bytes, depend on how far each was read.
 */
export async function followForDense(options: DenseLearnerOptions, topology: Topology): Promise<DenseFollower> {
  const { log } = options
  const learner = await createDenseLearner(options)
  const [scoreOutput, outcomeOutput] = topology.outputs
  const pairs = Array.from({ length: topology.partitions }, (_, partition) => ({
    scores: { output: scoreOutput!, partition, next: 0n, records: [] } as Reader,
    outcomes: { output: outcomeOutput!, partition, next: 0n, records: [] } as Reader,
    /** Processing time up to which all scores are known to the learner. */
    scoredMs: Number.NEGATIVE_INFINITY,
  }))

  return {
    async advance() {
      for (const pair of pairs) {
        const { scores, outcomes } = pair
        await fetch(log, scores)
        for (const { value, timestampMs } of scores.records) {
          learner.score(eventOf(value, scores.output.codec))
          pair.scoredMs = timestampMs
        }
        // An outcome is appended with its score or after it: where no score is left, every outcome has its score.
        if (scores.records.length < LIMITS.maxRecords) pair.scoredMs = Number.POSITIVE_INFINITY
        scores.records = []
        if (outcomes.records.length === 0) await fetch(log, outcomes)
        let taken = 0
        while (taken < outcomes.records.length && outcomes.records[taken]!.timestampMs < pair.scoredMs) {
          const { value, timestampMs } = outcomes.records[taken++]!
          learner.outcome(eventOf(value, outcomes.output.codec), timestampMs)
        }
        outcomes.records = outcomes.records.slice(taken)
      }
      await learner.advance(Number.POSITIVE_INFINITY)
    },
    close: () => learner.close(),
  }
}

async function fetch(log: EventLog, reader: Reader): Promise<void> {
  const fetched = await log.fetch(reader.output.topic, reader.partition, reader.next, LIMITS)
  reader.records = fetched.records
  reader.next = fetched.next
}
