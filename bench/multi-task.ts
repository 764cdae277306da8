/**
 * Two tasks on one trunk against each alone: `node bench/multi-task.ts [FILE]`, 5 seeds, fixed weights, uncertainty, GradNorm.
 * First a generator with a known relation (both tasks see the rows through the same hidden units, few rows, noisy answers), its
 * rows examples of both tasks; then the same tasks with example topics of their own, of different rates, whose examples come
 * together in batches aligned by event time; then, with FILE (NDJSON(.gz) with `split, text, label, domain`), the intent and the
 * domain of a text. Accuracy in %; ± is the 95 % interval of the mean over the seeds, `gain` that of the difference to alone
 * within a seed.
 */
import { float32 } from '../gpu/onnx-runtime.ts'
import { alignBatches, type TimedExample } from '../gpu/train/aligned-batches.ts'
import { NGRAMS } from '../gpu/train/hashed-ngrams.ts'
import { interval, written } from './learning/interval.ts'
import { type RelatedTasks, relatedTasks } from './learning/related-tasks.ts'
import { type StepRows, type TaskData, type TwoHeads, trainHeads, WEIGHTINGS } from './learning/two-heads.ts'
import { readUtterances, rowsOf, type Utterance } from './learning/utterances.ts'

const SEEDS = [1, 2, 3, 4, 5]
const COLUMNS = 16

interface Split {
  readonly train: TaskData
  readonly test: TaskData
}

const TASKS = ['task 1', 'task 2']
const SHAPE: TwoHeads = { inputs: COLUMNS, hidden: 32, widths: [2, 2], epochs: 15, batch: 32, rate: 0.005 }
/** Of the second task; the first has an example each minute in which it has none. */
const EVERY_MINUTES = 4

const generator = 'generator: rows of 16 columns, 3 shared hidden units, cosine .5, 10 % of the answers turned round'
const generatedSplit = (rows: number) => (seed: number) => {
  const draw = relatedTasks({ columns: COLUMNS, shared: 3, relation: 0.5, noise: 0.1 }, seed)
  return { train: generated(draw(rows, 'with noise', 1)), test: generated(draw(10_000, 'without noise', 2)) }
}
await compare(`${generator}; 2,000 rows`, TASKS, SHAPE, generatedSplit(2_000))
await compare(
  `${generator}; 3,000 rows of task 1, 1,000 others of task 2, in batches aligned by event time`,
  TASKS,
  { ...SHAPE, steps: alignedSteps },
  generatedSplit(4_000),
)
const file = process.argv[2]
if (file !== undefined) await compareTexts(file)

function generated({ x, first, second }: RelatedTasks): TaskData {
  return {
    rows: first.length,
    x: (indices) => {
      const data = new Float32Array(indices.length * COLUMNS)
      for (const [i, row] of indices.entries()) data.set(x.subarray(row * COLUMNS, (row + 1) * COLUMNS), i * COLUMNS)
      return float32([indices.length, COLUMNS], data)
    },
    classes: [first, second],
  }
}

/** Each row is a minute's example, of one topic or the other; a step takes what both have of the same stretch of time. */
function alignedSteps(rows: number, batch: number): Iterable<StepRows> {
  const minute = 60_000
  const isSlow = (row: number): boolean => row % EVERY_MINUTES === 0
  const spanMs = batch * minute
  const aligned = alignBatches<number>({ tasks: 2, spanMs, maxPerTask: batch, maxWaiting: rows })
  const topics: TimedExample<number>[][] = [[], []]
  for (let row = 0; row < rows; row++) topics[isSlow(row) ? 1 : 0]!.push({ eventTimeMs: row * minute, example: row })
  for (const [task, topic] of topics.entries()) {
    aligned.push(task, topic)
    aligned.advance(task, (rows + batch) * minute)
  }
  const counts = (task: number, row: number): boolean => isSlow(row) === (task === 1)
  return aligned.take().map(({ tasks }) => ({ rows: tasks.flat(), counts }))
}

async function compareTexts(path: string): Promise<void> {
  const utterances = readUtterances(path)
  const intents = [...new Set(utterances.map(({ intent }) => intent))].sort()
  const domains = [...new Set(utterances.map(({ domain }) => domain))].sort()
  const data = (of: readonly Utterance[]): TaskData => ({
    rows: of.length,
    x: (indices) => rowsOf(indices.map((i) => of[i]!)),
    classes: [of.map(({ intent }) => intents.indexOf(intent)), of.map(({ domain }) => domains.indexOf(domain))],
  })
  const split = {
    train: data(utterances.filter((utterance) => utterance.split === 'train')),
    test: data(utterances.filter((utterance) => utterance.split === 'val')),
  }
  await compare(
    `texts: ${intents.length} intents and ${domains.length} domains, ${split.train.rows} rows`,
    ['intent', 'domain'],
    { inputs: NGRAMS.width, hidden: 64, widths: [intents.length, domains.length], epochs: 3, batch: 64, rate: 0.002 },
    () => split,
  )
}

async function compare(
  title: string,
  names: readonly string[],
  shape: TwoHeads,
  splitOf: (seed: number) => Split,
): Promise<void> {
  const alone = names.map((): number[] => [])
  const joint = WEIGHTINGS.map(() => names.map((): number[] => []))
  for (const seed of SEEDS) {
    const { train, test } = splitOf(seed)
    for (const task of names.keys()) alone[task]!.push(...(await trainHeads(shape, [task], 'fixed', train, test, seed)))
    for (const [i, weighting] of WEIGHTINGS.entries()) {
      const accuracies = await trainHeads(shape, [0, 1], weighting, train, test, seed)
      for (const [task, accuracy] of accuracies.entries()) joint[i]![task]!.push(accuracy)
    }
  }
  console.log(`\n${title}`)
  console.log(`${''.padEnd(12)}${names.map((name) => name.padStart(16) + 'gain'.padStart(16)).join('')}`)
  const single = alone.map((values) => written(interval(values)).padStart(16).padEnd(32)).join('')
  console.log(`alone       ${single}`)
  for (const [i, weighting] of WEIGHTINGS.entries()) {
    const columns = names.map((_, task) => {
      const values = joint[i]![task]!
      const gains = values.map((value, seed) => value - alone[task]![seed]!)
      return written(interval(values)).padStart(16) + written(interval(gains)).padStart(16)
    })
    console.log(`${weighting.padEnd(12)}${columns.join('')}`)
  }
}
