import type { Topology } from './topology.ts'

/**
 * A stage's watermark: the minimum over the watermarks that its upstream tasks announced, event time in ms.
 * Feedback edges are no channels, so a loop never holds itself up. A watermark never goes back.
 */
export class Watermarks {
  /** The stage's watermark; -Infinity until every channel has announced one. */
  currentMs = Number.NEGATIVE_INFINITY
  readonly #channels: readonly number[]
  readonly #announcedMs: number[]

  /** @param channels the numbers of all upstream tasks (see `channelOf`). */
  constructor(channels: readonly number[]) {
    this.#channels = channels
    this.#announcedMs = channels.map(() => Number.NEGATIVE_INFINITY)
  }

  /** Takes in what `channel` announced. Unknown channels (feedback) change nothing. */
  advance(channel: number, watermarkMs: number): void {
    const slot = this.#channels.indexOf(channel)
    if (slot < 0 || watermarkMs <= this.#announcedMs[slot]!) return
    this.#announcedMs[slot] = watermarkMs
    let minimum = watermarkMs
    for (const announced of this.#announcedMs) if (announced < minimum) minimum = announced
    if (minimum > this.currentMs) this.currentMs = minimum
  }

  /** What `channel` announced last; -Infinity: nothing, or no channel of this stage. */
  announcedMs(channel: number): number {
    return this.#announcedMs[this.#channels.indexOf(channel)] ?? Number.NEGATIVE_INFINITY
  }

  snapshot(): readonly (number | null)[] {
    return this.#announcedMs.map((ms) => (ms === Number.NEGATIVE_INFINITY ? null : ms))
  }

  restore(announced: readonly (number | null)[]): void {
    announced.forEach((ms, slot) => {
      if (ms !== null && slot < this.#channels.length) this.advance(this.#channels[slot]!, ms)
    })
  }
}

/** The number under which a task of a stage announces its watermark. Fewer than 65,536 partitions. */
export function channelOf(stageIndex: number, task: number): number {
  return stageIndex * 65_536 + task
}

/** Whether the channel is of a task's intake, which reads the sources. */
export function isIntakeChannel(channel: number): boolean {
  return channel < 65_536
}

/** The inverse of `channelOf`, as far as the stage goes: its index, 0 for the intake. */
export function stageOfChannel(channel: number): number {
  return Math.floor(channel / 65_536)
}

/** The channels of all tasks that send to a stage with a watermark. */
export function upstreamChannels(topology: Topology, name: string): number[] {
  const channels: number[] = []
  const add = (index: number, tasks: number): void => {
    for (let task = 0; task < tasks; task++) channels.push(channelOf(index, task))
  }
  if (topology.intakeNext.includes(name)) add(0, topology.partitions)
  topology.stages.forEach((stage, i) => {
    if (stage.next.includes(name)) add(i + 1, stage.tasks === 'first' ? 1 : topology.partitions)
  })
  return channels
}
