import { add } from './elementwise.ts'
import type { Value } from './graph.ts'

/**
 * Reverse-mode differentiation: writes the nodes that compute d `output` / d each of `parameters`, in their order and shapes.
 * `output` must hold one number. Walks the tape backwards once, adding up where a value is used several times, so the
 * graph grows by a constant factor. The result is differentiable again.
 */
export function differentiate(output: Value, parameters: readonly Value[]): readonly Value[] {
  if (output.shape.some((dim) => dim !== 1))
    throw new Error(`Only a single number is differentiated, not [${output.shape.join(', ')}].`)
  const graph = output.graph
  const needed = dependentsOf(parameters)
  const upstream = new Map<string, Value>()
  upstream.set(
    output.name,
    graph.constant(
      'float32',
      output.shape.map(() => 1),
      [1],
    ),
  )
  // A snapshot: gradients append to the tape while it is walked.
  for (const entry of graph.tape.slice().reverse()) {
    const dy = upstream.get(entry.output.name)
    if (dy === undefined || entry.gradient === null || !needed.has(entry.output.name)) continue
    const gradients = entry.gradient(dy)
    entry.inputs.forEach((input, i) => {
      const gradient = gradients[i]
      if (gradient === null || gradient === undefined || !needed.has(input.name)) return
      const sofar = upstream.get(input.name)
      upstream.set(input.name, sofar === undefined ? gradient : add(sofar, gradient))
    })
  }
  return parameters.map((parameter) => {
    const gradient = upstream.get(parameter.name)
    if (gradient === undefined) throw new Error(`${output.name} does not depend on ${parameter.name}.`)
    return gradient
  })
}

/** Names of the values that a change of `sources` can reach. */
function dependentsOf(sources: readonly Value[]): ReadonlySet<string> {
  const reached = new Set(sources.map((source) => source.name))
  for (const entry of sources[0]?.graph.tape ?? []) {
    if (entry.inputs.some((input) => reached.has(input.name))) reached.add(entry.output.name)
  }
  return reached
}
