import { asPort, type Value } from './graph.ts'
import type { OnnxModel, OnnxTensor } from './onnx-encoder.ts'

/**
 * Cuts out of a graph what the named outputs need, as a model of its own: a training step and the serving graph that is
 * a slice of it come from one graph. `weights` turns inputs into stored weights, by input name.
 */
export function compile(
  name: string,
  outputs: Readonly<Record<string, Value>>,
  weights: readonly OnnxTensor[] = [],
): OnnxModel {
  const values = Object.values(outputs)
  const graph = values[0]?.graph
  if (graph === undefined) throw new Error('A model needs at least one output.')
  const needed = new Set(values.map((value) => value.name))
  const kept = graph.nodes
    .slice()
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false
      for (const input of node.inputs) needed.add(input)
      return true
    })
    .reverse()
  const stored = new Set(weights.map((tensor) => tensor.name))
  // Outputs get their public names by Identity nodes, so that one value may serve under several names.
  const naming = Object.entries(outputs).map(([as, value]) => ({ op: 'Identity', inputs: [value.name], outputs: [as] }))
  return {
    name,
    inputs: graph.inputs
      .filter((input) => needed.has(input.name) && !stored.has(input.name))
      .map((input) => asPort(input)),
    outputs: Object.entries(outputs).map(([as, value]) => asPort(value, as)),
    initializers: [
      ...graph.initializers.filter((tensor) => needed.has(tensor.name)),
      ...weights.filter((tensor) => needed.has(tensor.name)),
    ],
    nodes: [...kept, ...naming],
  }
}
