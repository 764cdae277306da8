import type { EventLog, TaskWriter } from './event-log/event-log.ts'
import { recoveryPoint } from './recovery-point.ts'

/** How far one topic was read when its task was acquired. */
export interface TopicProgress {
  /** Where folding begins, so that the state comes to stand where the log does. */
  readonly from: bigint
  /** The next offset that the log has not seen committed. */
  readonly committed: bigint
}

/**
 * Where a task that has just been acquired stands on each of its topics, as of one moment: nobody else committed while
 * this was read, or it throws FENCED. A commit that changes nothing proves that; it also proves that the state store was
 * acquired by whoever held the task in the log, so that those two never have different owners.
 *
 * Throws what `recoveryPoint` throws.
 */
export async function readProgress(
  log: EventLog,
  writer: TaskWriter,
  task: number,
  topics: readonly string[],
  stored: ReadonlyMap<string, bigint> | undefined,
): Promise<ReadonlyMap<string, TopicProgress>> {
  const progress = new Map<string, TopicProgress>()
  let unmoved: { readonly topic: string; readonly next: bigint } | null = null
  try {
    for (const topic of topics) {
      const committed = await writer.committed(topic, task)
      if (committed !== undefined) unmoved = { topic, next: committed }
      const from = await recoveryPoint(log, topic, task, { stored: stored?.get(topic), committed })
      unmoved ??= { topic, next: from }
      progress.set(topic, { from, committed: committed ?? 0n })
    }
  } finally {
    // Also when it failed: what a successor has dropped meanwhile looks like a loss.
    const positions = unmoved === null ? [] : [{ partition: task, ...unmoved }]
    await writer.commit({ appends: [], positions })
  }
  return progress
}
