/** An example of one task, in the order of its topic. */
export interface TimedExample<T> {
  /** Event time, milliseconds since 1970. Not decreasing within a topic. */
  readonly eventTimeMs: number
  readonly example: T
}

/** One training step's examples: per task, those of the same half-open span of event time. */
export interface AlignedBatch<T> {
  readonly fromMs: number
  readonly toMs: number
  /** As many lists as tasks, in the tasks' order; a slow task's may be empty. */
  readonly tasks: readonly (readonly T[])[]
}

export interface AlignedBatches<T> {
  /** Takes in what a task's topic holds next. */
  push(task: number, examples: readonly TimedExample<T>[]): void
  /** Says that a task's topic has nothing before `watermarkMs` any more. */
  advance(task: number, watermarkMs: number): void
  /** The spans that every task has passed, oldest first; spans without any example are left out. */
  take(): readonly AlignedBatch<T>[]
}

export interface AlignmentOptions {
  readonly tasks: number
  /** Width of one batch in event time. */
  readonly spanMs: number
  /** At most so many examples of one task in one batch; further ones are dropped evenly, so that a fast task does not drown a slow one. */
  readonly maxPerTask: number
  /** Bound on waiting examples per task; reaching it is an error of the caller, who must `take` or hold the fast topic back. */
  readonly maxWaiting: number
}

/** Cuts several example topics of different rates into batches by event time: the same topics give the same batches, however they are pushed. */
export function alignBatches<T>({ tasks, spanMs, maxPerTask, maxWaiting }: AlignmentOptions): AlignedBatches<T> {
  const waiting: TimedExample<T>[][] = Array.from({ length: tasks }, () => [])
  const watermarks = new Float64Array(tasks).fill(Number.NEGATIVE_INFINITY)
  const latest = new Float64Array(tasks).fill(Number.NEGATIVE_INFINITY)

  function takeBefore(task: number, toMs: number): readonly T[] {
    const queue = waiting[task]!
    let count = 0
    while (count < queue.length && queue[count]!.eventTimeMs < toMs) count++
    return thin(
      queue.splice(0, count).map((timed) => timed.example),
      maxPerTask,
    )
  }

  return {
    push(task, examples) {
      const queue = waiting[task]
      if (queue === undefined) throw new Error(`There is no task ${task}.`)
      if (queue.length + examples.length > maxWaiting)
        throw new Error(`Task ${task} has more than ${maxWaiting} examples waiting for the others.`)
      for (const timed of examples) {
        if (timed.eventTimeMs < Math.max(latest[task]!, watermarks[task]!))
          throw new Error(`Task ${task} went back in event time, to ${timed.eventTimeMs}.`)
        latest[task] = timed.eventTimeMs
        queue.push(timed)
      }
    },
    advance(task, watermarkMs) {
      watermarks[task] = Math.max(watermarks[task]!, watermarkMs)
    },
    take() {
      const watermark = Math.min(...watermarks)
      const batches: AlignedBatch<T>[] = []
      for (;;) {
        const first = Math.min(...waiting.map((queue) => queue[0]?.eventTimeMs ?? Number.POSITIVE_INFINITY))
        const fromMs = Math.floor(first / spanMs) * spanMs
        const toMs = fromMs + spanMs
        if (!(toMs <= watermark)) return batches
        batches.push({ fromMs, toMs, tasks: waiting.map((_, task) => takeBefore(task, toMs)) })
      }
    },
  }
}

function thin<T>(examples: readonly T[], max: number): readonly T[] {
  if (examples.length <= max) return examples
  return Array.from({ length: max }, (_, i) => examples[Math.floor((i * examples.length) / max)]!)
}
