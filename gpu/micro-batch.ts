import type { Scorer, Scores } from './scorer.ts'

/** One row's part of a batch's scores. */
export interface RowScore {
  readonly scores: Scores
  /** The row's place in `scores.outputs`. */
  readonly row: number
}

export interface MicroBatcher {
  /** Scores one row, float32 [features]; the row is copied at once. Fails as the scorer fails, for every row of the batch. */
  score(features: Float32Array): Promise<RowScore>
  /** Resolves when nothing is waiting or running. */
  drained(): Promise<void>
}

export interface MicroBatchOptions {
  /** Features of a row. */
  readonly width: number
  /** Rows of one run; a full batch is sent at once. */
  readonly maxBatch: number
  /** Rows waiting beyond this are refused by throwing: the caller must hold its source back. */
  readonly maxWaiting: number
  /** A row waits at most so long for others while the scorer is busy with an earlier batch; then it runs beside it. */
  readonly maxDelayUs: number
}

/**
 * Gathers single rows (requests, not polled batches: those go to the scorer whole) into runs. An idle scorer is given what there is
 * at once, so under low load nothing waits; while it runs, rows gather, and go when it is done, when the batch is full,
 * or after `maxDelayUs`, whichever is first (the policy of NVIDIA Triton's dynamic batcher with a zero queue delay).
 */
export function createMicroBatcher(scorer: Scorer, options: MicroBatchOptions): MicroBatcher {
  const { width, maxBatch, maxWaiting, maxDelayUs } = options
  interface Waiting {
    readonly features: Float32Array
    readonly resolve: (score: RowScore) => void
    readonly reject: (error: unknown) => void
  }
  const waiting: Waiting[] = []
  let running = 0
  let timer: NodeJS.Timeout | null = null
  let onDrained: (() => void)[] = []

  function flush(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const rows = waiting.splice(0, maxBatch)
    if (rows.length === 0) return
    const features = new Float32Array(rows.length * width)
    rows.forEach((row, i) => {
      features.set(row.features, i * width)
    })
    running++
    scorer.score(features, rows.length).then(
      (scores) => {
        rows.forEach((waited, row) => {
          waited.resolve({ scores, row })
        })
        finished()
      },
      (error: unknown) => {
        for (const waited of rows) waited.reject(error)
        finished()
      },
    )
    if (waiting.length > 0) schedule()
  }

  function finished(): void {
    running--
    if (waiting.length > 0) flush()
    else if (running === 0) {
      for (const resolve of onDrained) resolve()
      onDrained = []
    }
  }

  function schedule(): void {
    if (running === 0 || waiting.length >= maxBatch) flush()
    // Timers have millisecond grain: rounding down keeps the promise, and a bound below 1 ms runs beside at once.
    else if (maxDelayUs < 1_000) flush()
    else timer ??= setTimeout(flush, Math.floor(maxDelayUs / 1_000))
  }

  return {
    score(features) {
      if (features.length !== width) throw new Error(`A row has ${width} features, not ${features.length}.`)
      if (waiting.length >= maxWaiting) throw new Error(`More than ${maxWaiting} rows are waiting to be scored.`)
      return new Promise((resolve, reject) => {
        waiting.push({ features: features.slice(), resolve, reject })
        schedule()
      })
    },
    drained: () =>
      running === 0 && waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => onDrained.push(resolve)),
  }
}
