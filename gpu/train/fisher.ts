import { compile } from './compile.ts'
import { add, square } from './elementwise.ts'
import { differentiate } from './gradient.ts'
import type { Graph, Value } from './graph.ts'
import type { Parameter } from './parameters.ts'
import { constantParameter } from './parameters.ts'
import { nextName, type TrainingStep } from './training-step.ts'

/** Where a parameter's Fisher information accumulates in the state. */
export function fisherName(parameter: string): string {
  return `${parameter}.fisher`
}

/**
 * A step that adds the squared gradient of `loss` to each parameter's Fisher diagonal and holds the weights:
 * the empirical Fisher of Kirkpatrick et al. 2017 when run on one replayed example at a time (a larger batch would square
 * the mean gradient, which is less). Divide by the number of examples afterwards. Run by the same trainer as training,
 * restored to the trained weights. `held`: further inputs of the graph that are neither batch nor parameters.
 */
export function fisherStep(
  graph: Graph,
  parameters: readonly Parameter[],
  values: ReadonlyMap<string, Value>,
  loss: Value,
  held: readonly Parameter[] = [],
): TrainingStep {
  const gradients = differentiate(
    loss,
    parameters.map(({ name }) => values.get(name)!),
  )
  const outputs: Record<string, Value> = {}
  const state: Parameter[] = []
  parameters.forEach(({ name, dims }, i) => {
    const fisher = constantParameter(fisherName(name), dims, 0)
    state.push(fisher)
    outputs[nextName(fisher.name)] = add(graph.input(fisher.name, 'float32', dims), square(gradients[i]!))
  })
  return {
    model: compile('fisher-step', { ...outputs, loss }),
    state,
    held: [...parameters, ...held],
    metrics: ['loss'],
  }
}
