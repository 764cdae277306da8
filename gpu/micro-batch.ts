import type { Scorer, Scores } from './scorer.ts'

/** Rows of one run at most: enough to fill any device. */
const MOST_ROWS = 4_096

interface Batch {
  readonly features: Float32Array
  readonly rows: number
  readonly resolve: (scores: Scores) => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers the batches of several tasks into one run of a scorer that works beside the event loop (a thread, a device). An idle
 * scorer is given a batch at once, so nothing ever waits for more rows; what comes while it runs goes into the next run together,
 * in the order in which it came (the policy of NVIDIA Triton's dynamic batcher without a queue delay).
 *
 * Where a run of several fails, each of them gets a run of its own: one task's rows do no harm to another's.
 *
 * @param width features of a row
 */
export function gathering(scorer: Scorer, width: number, mostRows: number = MOST_ROWS): Scorer {
  const waiting: Batch[] = []
  let isRunning = false

  /** At least one, however large. */
  function take(): Batch[] {
    let rows = waiting[0]!.rows
    let count = 1
    for (; count < waiting.length && rows + waiting[count]!.rows <= mostRows; count++) rows += waiting[count]!.rows
    return waiting.splice(0, count)
  }

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      const batches = take()
      if (batches.length === 1 || !(await scoreTogether(batches))) for (const batch of batches) await scoreAlone(batch)
    }
    isRunning = false
  }

  async function scoreAlone({ features, rows, resolve, reject }: Batch): Promise<void> {
    await scorer.score(features, rows).then(resolve, reject)
  }

  /** Returns whether it could. */
  async function scoreTogether(batches: readonly Batch[]): Promise<boolean> {
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
    const features = new Float32Array(rows * width)
    let at = 0
    for (const batch of batches) {
      features.set(batch.features.subarray(0, batch.rows * width), at * width)
      at += batch.rows
    }
    let scores: Scores
    try {
      scores = await scorer.score(features, rows)
    } catch {
      return false
    }
    at = 0
    for (const batch of batches) {
      batch.resolve(partOf(scores, rows, at, batch.rows))
      at += batch.rows
    }
    return true
  }

  return {
    model: scorer.model,
    runsBeside: scorer.runsBeside ?? false,
    score: (features, rows) =>
      new Promise((resolve, reject) => {
        waiting.push({ features, rows, resolve, reject })
        if (!isRunning) void run()
      }),
    close: () => scorer.close(),
  }
}

function partOf(scores: Scores, of: number, first: number, rows: number): Scores {
  const outputs = [...scores.outputs].map(([name, values]) => {
    const width = values.length / of
    return [name, values.subarray(first * width, (first + rows) * width)] as const
  })
  return { ...scores, outputs: new Map(outputs) }
}
