import { type HostTensor, openSession, runOnce } from '../../gpu/onnx-runtime.ts'
import { createTrainer } from '../../gpu/onnx-trainer.ts'
import { compile } from '../../gpu/train/compile.ts'
import { relu } from '../../gpu/train/elementwise.ts'
import { createGraph } from '../../gpu/train/graph.ts'
import { softmaxCrossEntropy, weightedMean } from '../../gpu/train/losses.ts'
import { declareParameters, mlp, mlpParameters } from '../../gpu/train/mlp.ts'
import { fixedWeights, gradNorm, type TaskWeighting, uncertaintyWeights } from '../../gpu/train/multi-task.ts'
import { encodeOnnx } from '../../gpu/train/onnx-encoder.ts'
import { adam } from '../../gpu/train/optimisers.ts'
import { seededRandom } from '../../gpu/train/parameters.ts'
import { trainingStep } from '../../gpu/train/training-step.ts'
import { largest, oneHot, onesAt, shuffled } from './batches.ts'

/** Rows with one class per task. */
export interface TaskData {
  readonly rows: number
  readonly x: (indices: readonly number[]) => HostTensor
  /** Per task, the class of each row. */
  readonly classes: readonly ArrayLike<number>[]
}

/** The rows of one training step, and which tasks learn from which of them. */
export interface StepRows {
  readonly rows: readonly number[]
  /** Whether the row is an example of the task. */
  counts(task: number, row: number): boolean
}

/** The steps of an epoch. */
export type EpochSteps = (rows: number, batch: number, random: () => number) => Iterable<StepRows>

export interface TwoHeads {
  readonly inputs: number
  readonly hidden: number
  /** Classes of each task. */
  readonly widths: readonly number[]
  readonly epochs: number
  readonly batch: number
  readonly rate: number
  /** Default: all rows shuffled, each an example of every task. */
  readonly steps?: EpochSteps
}

export const WEIGHTINGS = ['fixed', 'uncertainty', 'GradNorm'] as const
export type Weighting = (typeof WEIGHTINGS)[number]

/**
 * Trains one trunk with a head for each of `tasks` (indices of the data's tasks; one: that task alone) and answers the
 * test accuracy of each in %, with the trunk, the steps, the batches and the first weights the same whatever `tasks` is.
 */
export async function trainHeads(
  shape: TwoHeads,
  tasks: readonly number[],
  weighting: Weighting,
  train: TaskData,
  test: TaskData,
  seed: number,
): Promise<readonly number[]> {
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', shape.inputs])
  const network = [
    ...mlpParameters('trunk.', [shape.inputs, shape.hidden], seededRandom(seed)),
    ...tasks.flatMap((task) =>
      mlpParameters(`head${task}.`, [shape.hidden, shape.widths[task]!], seededRandom(seed + 100 * (task + 1))),
    ),
  ]
  const values = declareParameters(graph, network)
  const trunk = relu(mlp(x, 'trunk.', values))
  const logits = tasks.map((task) => mlp(trunk, `head${task}.`, values))
  const losses = tasks.map((task, i) =>
    weightedMean(
      softmaxCrossEntropy(logits[i]!, graph.input(`y${task}`, 'float32', ['batch', shape.widths[task]!])),
      graph.input(`weights${task}`, 'float32', ['batch', 1]),
    ),
  )
  const how: Readonly<Record<Weighting, () => TaskWeighting>> = {
    fixed: () =>
      fixedWeights(
        losses,
        losses.map(() => 1),
      ),
    uncertainty: () => uncertaintyWeights(graph, losses),
    // The loss of a guess at random, the paper's choice, and its α for tasks that are alike.
    GradNorm: () =>
      gradNorm(graph, losses, {
        shared: values.get('trunk.w0')!,
        firstLosses: tasks.map((task) => Math.log(shape.widths[task]!)),
        alpha: 0.5,
      }),
  }
  const { parameters, values: weightValues, loss, gradients, project } = how[weighting]()
  const step = trainingStep({
    graph,
    parameters: [...network, ...parameters],
    values: new Map([...values, ...weightValues]),
    loss,
    optimiser: adam(shape.rate),
    gradients,
    project,
  })
  const trainer = await createTrainer(step, { provider: 'cpu' })
  const random = seededRandom(seed)
  const answers = (data: TaskData, rows: readonly number[]) =>
    tasks.map(
      (task) =>
        [
          `y${task}`,
          oneHot(
            rows.map((row) => data.classes[task]![row]!),
            shape.widths[task]!,
          ),
        ] as const,
    )
  for (let epoch = 0; epoch < shape.epochs; epoch++) {
    const { steps = shuffledSteps } = shape
    for (const { rows: all, counts } of steps(train.rows, shape.batch, random)) {
      const rows = all.filter((row) => tasks.some((task) => counts(task, row)))
      const weights = tasks.map((task) => [`weights${task}`, onesAt(rows.map((row) => counts(task, row)))] as const)
      await trainer.step({ x: train.x(rows), ...Object.fromEntries([...weights, ...answers(train, rows)]) })
    }
  }
  const state = await trainer.state()
  await trainer.close()

  const outputs = Object.fromEntries(tasks.map((task, i) => [`logits${task}`, logits[i]!]))
  const serving = await openSession(encodeOnnx(compile('serving', outputs)), { provider: 'cpu' })
  const all = Array.from({ length: test.rows }, (_, row) => row)
  const trained = network.map(({ name, dims }) => [name, { type: 'float32', dims, data: state.get(name)! }] as const)
  const scores = await runOnce(serving, { ...Object.fromEntries(trained), x: test.x(all) })
  await serving.release()
  return tasks.map((task) => {
    const guesses = largest(scores.get(`logits${task}`)!.data, shape.widths[task]!)
    return (100 * guesses.filter((guess, row) => guess === test.classes[task]![row]).length) / test.rows
  })
}

function* shuffledSteps(rows: number, batch: number, random: () => number): Generator<StepRows> {
  const order = shuffled(
    Array.from({ length: rows }, (_, row) => row),
    random,
  )
  for (let at = 0; at < rows; at += batch) yield { rows: order.slice(at, at + batch), counts: () => true }
}
