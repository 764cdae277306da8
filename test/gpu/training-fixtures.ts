import { float32, type HostTensor } from '../../gpu/onnx-runtime.ts'
import { greater, silu, where } from '../../gpu/train/elementwise.ts'
import { createGraph, type Graph, type Value } from '../../gpu/train/graph.ts'
import { sigmoidCrossEntropy, weightedMean } from '../../gpu/train/losses.ts'
import { declareParameters, mlp, mlpParameters } from '../../gpu/train/mlp.ts'
import type { Optimiser } from '../../gpu/train/optimisers.ts'
import { type Parameter, seededRandom } from '../../gpu/train/parameters.ts'
import { reduceSum } from '../../gpu/train/reductions.ts'
import { type TrainingStep, trainingStep } from '../../gpu/train/training-step.ts'

export interface Classifier {
  readonly graph: Graph
  readonly parameters: readonly Parameter[]
  readonly logits: Value
  readonly step: TrainingStep
}

/** A binary classifier 2 → 16 → 1 on `x`, `y`, `weights`. Metric `positive`: how many hidden units of all rows are above 0. */
export function classifier(optimiser: Optimiser, seed: number, activation: (x: Value) => Value = silu): Classifier {
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', 2])
  const y = graph.input('y', 'float32', ['batch', 1])
  const weights = graph.input('weights', 'float32', ['batch', 1])
  const parameters = mlpParameters('', [2, 16, 1], seededRandom(seed))
  const values = declareParameters(graph, parameters)
  const metrics: Record<string, Value> = {}
  const logits = mlp(x, '', values, (units) => {
    metrics['positive'] = reduceSum(where(greater(units, 0), 1, 0))
    return activation(units)
  })
  const loss = weightedMean(sigmoidCrossEntropy(logits, y), weights)
  const step = trainingStep({ graph, parameters, values, loss, optimiser, clipNorm: 5, metrics })
  return { graph, parameters, logits, step }
}

/** Points of the square, labelled by whether both coordinates have one sign: no line tells them apart. */
export function exampleBatch(seed: number, rows: number): Record<string, HostTensor> {
  const random = seededRandom(seed + 100)
  for (let i = 0; i < 8; i++) random()
  const x = Float32Array.from({ length: rows * 2 }, () => random() * 2 - 1)
  const y = Float32Array.from({ length: rows }, (_, i) => (x[2 * i]! * x[2 * i + 1]! > 0 ? 1 : 0))
  return {
    x: float32([rows, 2], x),
    y: float32([rows, 1], y),
    weights: float32([rows, 1], new Float32Array(rows).fill(1)),
  }
}
