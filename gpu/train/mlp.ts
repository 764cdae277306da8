import { silu } from './elementwise.ts'
import type { Graph, Value } from './graph.ts'
import { gemm } from './linear.ts'
import { constantParameter, glorot, type Parameter, type Random } from './parameters.ts'

/** A stack of dense layers: parameters `<prefix>w0, <prefix>b0, …` of the given widths (inputs first). */
export function mlpParameters(prefix: string, widths: readonly number[], random: Random): readonly Parameter[] {
  return widths
    .slice(1)
    .flatMap((outputs, layer) => [
      glorot(`${prefix}w${layer}`, widths[layer]!, outputs, random),
      constantParameter(`${prefix}b${layer}`, [outputs], 0),
    ])
}

/** Declares parameters as inputs of a graph, by name. */
export function declareParameters(graph: Graph, parameters: readonly Parameter[]): ReadonlyMap<string, Value> {
  return new Map(parameters.map(({ name, dims }) => [name, graph.input(name, 'float32', dims)]))
}

/**
 * `activation` between layers, none after the last: float32 [batch, widths.last] from [batch, widths.first]. SiLU by default: where
 * ReLU's derivative jumps, one rounding may part two providers for good (docs/gpu.md).
 */
export function mlp(
  x: Value,
  prefix: string,
  parameters: ReadonlyMap<string, Value>,
  activation: (x: Value) => Value = silu,
): Value {
  let activations = x
  for (let layer = 0; ; layer++) {
    const weights = parameters.get(`${prefix}w${layer}`)
    const bias = parameters.get(`${prefix}b${layer}`)
    if (weights === undefined || bias === undefined) return activations
    activations = gemm(layer === 0 ? activations : activation(activations), weights, { bias })
  }
}
