import type { EventLog, NewRecord } from '../../streams/event-log/event-log.ts'
import type { Topology } from '../../streams/topology.ts'

/** What is simulated: a topology, what its producers send, and what must be true of its outputs whatever happens. */
export interface Scene {
  readonly topology: Topology
  readonly batchRecords: number
  /** Memory of a task's states in front of the store, bytes: so little that states leave it all the time, or as much as they take. */
  readonly cachedBytes: number
  /** In the order in which they are appended, those that a producer sends twice among them. */
  readonly sent: readonly Sent[]
  /** Sent after the last fault: at least one record for every task, so that each meets what happened to it. */
  readonly closing: readonly Sent[]
  /** What is wrong with the outputs, judged from what was sent alone. */
  account(log: EventLog): Promise<string[]>
}

export interface Sent {
  readonly topic: string
  readonly partition: number
  readonly record: NewRecord
}
