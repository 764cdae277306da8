import type { Emit, Step } from '../processors/step.ts'
import type { ValueCodec } from './codec/event-codec.ts'
import type { InputCodec } from './codec/input-codec.ts'
import type { TopicSpec } from './event-log/event-log.ts'
import type { ModelHost } from './model-host.ts'
import type { BodyCodecs } from './packing.ts'
import type { Idleness } from './ticks.ts'

/** A user's topic that the intake reads. */
export interface Source {
  /** The kind of the entries made from it: `payment`. */
  readonly kind: string
  /** Short name of the topic: `payments`. */
  readonly short: string
  readonly topic: string
  readonly dlqTopic: string
  readonly lateTopic: string
  readonly codec: InputCodec<object>
  /** The event's time, milliseconds since 1970. */
  eventTimeMs(event: object): number
  /** Whether its event times drive the watermark (labels do not: they come when they come). */
  readonly watermark: 'advances' | 'ignored'
  /** Sends the event to its first stage. */
  route(event: object, eventTimeMs: number, emit: Emit): void
}

/** A keyed stage: reads one repartition topic, folds its entries. */
export interface Stage {
  readonly name: string
  readonly topic: string
  /** 'every': one task per partition; 'first': one task in all, that of partition 0 (a single writer, such as a learner). */
  readonly tasks: 'every' | 'first'
  /** Stages that its entries go on to; a later stage takes its watermark from all that name it. */
  readonly next: readonly string[]
  create(task: number): Step
  /** Who answers the step's questions; only where the step asks any. */
  models?(task: number): ModelHost
}

/** A topic that the topology appends events to. */
export interface Output {
  readonly short: string
  readonly topic: string
  readonly codec: ValueCodec<object>
  /** CloudEvents type of its events. */
  readonly type: string
  /** 'none': bare records, for topics of others' that have a form of their own, or where headers cost too much. Default: CloudEvents. */
  readonly headers?: 'cloudevents' | 'none'
  /** 1: all events, whatever their keys. Default: as many as the topology, by key. */
  readonly partitions?: 1
}

/**
 * How one scenario runs: the intake, then stages in the order in which records flow. Task p is partition p of every
 * stage. Made by `defineScenario`; the run loop knows nothing else of a scenario.
 */
export interface Topology {
  readonly scenario: string
  readonly partitions: number
  readonly sources: readonly Source[]
  /** The stages that the intake routes to with a watermark. */
  readonly intakeNext: readonly string[]
  readonly stages: readonly Stage[]
  readonly outputs: readonly Output[]
  readonly bodies: BodyCodecs
  readonly topics: readonly TopicSpec[]
  /** A topic on which every flush of state is written down first (`withChangelog`), so that a lost store is rebuilt. */
  readonly changelog?: string
  /** Event times further ahead of the record's timestamp than this are refused. */
  readonly maxFutureMs: number
  /** A watermark is announced to idle partitions each time it has advanced by this much. */
  readonly announceEveryMs: number
  /** When event time goes on without records in a live run; absent: never. */
  readonly idleness?: Idleness
}
