import { add, div, mul, sqrt, square, sub } from './elementwise.ts'
import type { Value } from './graph.ts'
import { reduceMean, reduceTo } from './reductions.ts'

/**
 * Layer normalisation over the last axis (Ba, Kiros and Hinton 2016): (x − mean) / √(variance + ε) · scale + bias.
 * `x` float32 [..., features], `scale` and `bias` float32 [features].
 */
export function layerNorm(x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value {
  return x.graph.node('LayerNormalization', [x, scale, bias], {
    shape: x.shape,
    attributes: { axis: { kind: 'int', value: -1 }, epsilon: { kind: 'float', value: epsilon } },
    gradient: (dy) => {
      const centred = sub(x, reduceMean(x, [-1]))
      const deviation = sqrt(add(reduceMean(square(centred), [-1]), epsilon))
      const normalised = div(centred, deviation)
      const scaled = mul(dy, scale)
      const along = mul(normalised, reduceMean(mul(scaled, normalised), [-1]))
      const dx = div(sub(sub(scaled, reduceMean(scaled, [-1])), along), deviation)
      return [dx, reduceTo(mul(dy, normalised), scale.shape), reduceTo(dy, bias.shape)]
    },
  })
}
