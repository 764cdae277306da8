import { RheoError } from '../schemas/errors.ts'
import type { EventLog } from './event-log/event-log.ts'

/** What the two sides say about one partition of a task. undefined: that side knows nothing yet. */
export interface Progress {
  /** The next offset that the stored state does not contain. */
  readonly stored: bigint | undefined
  /** The next offset that the log has not seen committed. */
  readonly committed: bigint | undefined
}

/**
 * Where a task starts to fold a partition again, so that its state comes to stand where the log does: what was
 * committed but not flushed is folded once more. A topic that was never read is read from the first record still there.
 *
 * Throws STORAGE_CORRUPT when the log no longer holds what the state lacks (the state store was lost, or is an old
 * copy), or when the state stands ahead of the log (the log was lost; retryable where the log has no position at all): going
 * on would give other results, in silence.
 */
export async function recoveryPoint(
  log: EventLog,
  topic: string,
  partition: number,
  { stored, committed }: Progress,
): Promise<bigint> {
  const { start } = await log.bounds(topic, partition)
  if (committed === undefined && stored === undefined) return start
  const from = stored ?? 0n
  const until = committed ?? 0n
  if (from > until) {
    const what = `The stored state contains ${topic}/${partition} up to offset ${from}, the log was read to ${until} only`
    // Brokers that have just lost one of their own may say "none" for a moment, of a position that was committed.
    throw doesNotFit(what, committed === undefined)
  }
  if (from < start && from < until) {
    const stands = stored === undefined ? 'There is no stored state' : `The stored state stands at offset ${from}`
    throw doesNotFit(`${stands} for ${topic}/${partition}, and the log holds nothing before offset ${start} any more`)
  }
  return from
}

function doesNotFit(what: string, retryable = false): RheoError {
  return new RheoError('STORAGE_CORRUPT', `${what}: the state store and the log do not belong together.`, {
    retryable,
    hint: 'Put the lost file back, or delete the state directory and replay.',
  })
}
