import type { EventLog } from '../streams/event-log/event-log.ts'
import type { Admission } from '../streams/replay.ts'
import type { Topology } from '../streams/topology.ts'

/** Which generated history. */
export interface GeneratedStream {
  /** About how many scored events. */
  readonly payments: number
  readonly days: number
  readonly seed: number
  readonly world: 'drift' | 'stationary'
  readonly labelDelayMs: number
}

/** A generated stream as a producer that works now. */
export interface LiveStreamOptions {
  readonly perSecond: number
  /** Processing time from an event to its label. */
  readonly labelDelayMs: number
  readonly seed: number
  readonly world: GeneratedStream['world']
  /** Processing time, milliseconds since 1970. */
  readonly clock: () => number
}

/** A history that a scenario generates, so that it can be seen at work before there is data: the same seed, the same bytes. */
export interface BuiltInStream {
  /** Event time of its beginning. */
  readonly startMs: number
  /** Events and labels in the order of their event times, without the first `skip`, before `untilMs` (null: all). */
  admissions(
    topology: Topology,
    stream: GeneratedStream,
    skip: number,
    untilMs: number | null,
  ): Iterable<readonly Admission[]>
  /** What changes in its world, and when; for the report. */
  marks(stream: GeneratedStream): readonly { readonly atMs: number; readonly label: string }[]
  spans(
    stream: GeneratedStream,
  ): readonly { readonly attack: string; readonly fromMs: number; readonly untilMs: number }[]
  /** Appends to the users' topics what is due, each time `feed` is called. */
  startLive(
    log: EventLog,
    topology: Topology,
    options: LiveStreamOptions,
  ): Promise<{ feed(): Promise<readonly object[]> }>
}
