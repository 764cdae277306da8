import type { MaybePromise } from './event-log/event-log.ts'

/**
 * Which task numbers of a topology this process runs. A task is one partition number across all stages, so whoever
 * holds partition p of one topic holds it of all: the distributed adapter (`event-log/kafka-membership.ts`) shares them
 * out by one consumer group per topology, the embedded one gives all of them to the only process.
 *
 * Membership is advice, never a lock: for a moment two processes may believe that a task is theirs (one was paused, or
 * has not heard yet). Only `EventLog.acquire` and the state store's epoch decide who may write.
 */
export interface Membership {
  /**
   * Joins, and tells the listener from then on. Resolves once the first assignment (it may be empty) was delivered.
   * Throws what the listener's first `assigned` threw, or LOG_UNAVAILABLE / AUTH_FAILED.
   */
  join(listener: MembershipListener): Promise<void>
  /** Leaves, so that others take over at once. Stop and flush the tasks before: `revoked` is not called any more. */
  leave(): Promise<void>
}

/**
 * Calls come one at a time and are awaited; of one change `revoked` comes before `assigned`. The membership is kept
 * alive meanwhile, however long they take. Task numbers that stay are not mentioned: those tasks run on undisturbed.
 */
export interface MembershipListener {
  /** These tasks are now this process's: start them (`acquire` fences whoever still runs them). */
  assigned(tasks: readonly number[]): MaybePromise<void>
  /** Others run these tasks now, or are about to: finish the commit under way and drop them. A commit may fail with FENCED. */
  revoked(tasks: readonly number[]): MaybePromise<void>
  /** The membership broke off for good (it retries by itself what can be retried); nothing follows. Stop, or make a new one. */
  failed(error: unknown): void
}

/** The embedded membership: this process runs all tasks, 0 ≤ task < partitions, until it leaves. */
export function createSoleMembership(partitions: number): Membership {
  return {
    async join(listener) {
      await listener.assigned(Array.from({ length: partitions }, (_, task) => task))
    },
    leave: () => Promise.resolve(),
  }
}
