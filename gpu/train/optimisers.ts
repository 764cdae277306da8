import { abs, add, div, greater, maximum, minimum, mul, sign, sqrt, square, sub, where } from './elementwise.ts'
import type { Graph, Value } from './graph.ts'
import { sumAll } from './losses.ts'

/**
 * Optimisers as graph writers: from a parameter, its gradient and the state of the last step to those of the next.
 * State tensors have the parameter's shape and start at `initial`.
 */
export interface Optimiser {
  readonly slots: readonly { readonly name: string; readonly initial: number }[]
  /**
   * Scalars 1 − βᵗ shared by all parameters (Adam's bias corrections), by name → β: c ← β·c + (1 − β) after each step.
   * Kept as such, since 1 − βᵗ computed from βᵗ loses half of float32's digits in the first steps.
   */
  readonly scalars: Readonly<Record<string, number>>
  update(
    parameter: Value,
    gradient: Value,
    slots: readonly Value[],
    scalars: Readonly<Record<string, Value>>,
  ): { readonly parameter: Value; readonly slots: readonly Value[] }
}

/** v ← μ·v + g; w ← w − rate·v (Polyak 1964, in the form of Sutskever et al. 2013 without Nesterov's look-ahead). */
export function sgd(rate: number, momentum = 0): Optimiser {
  return {
    slots: momentum === 0 ? [] : [{ name: 'velocity', initial: 0 }],
    scalars: {},
    update(parameter, gradient, [velocity]) {
      if (velocity === undefined) return { parameter: sub(parameter, mul(gradient, rate)), slots: [] }
      const next = add(mul(velocity, momentum), gradient)
      return { parameter: sub(parameter, mul(next, rate)), slots: [next] }
    },
  }
}

/** Adam (Kingma and Ba 2015) with bias correction. */
export function adam(rate: number, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8): Optimiser {
  return {
    slots: [
      { name: 'mean', initial: 0 },
      { name: 'variance', initial: 0 },
    ],
    scalars: { meanCorrection: beta1, varianceCorrection: beta2 },
    update(parameter, gradient, [mean, variance], { meanCorrection, varianceCorrection }) {
      const nextMean = add(mul(mean!, beta1), mul(gradient, 1 - beta1))
      const nextVariance = add(mul(variance!, beta2), mul(square(gradient), 1 - beta2))
      const corrected = div(nextMean, meanCorrection!)
      const scale = add(sqrt(div(nextVariance, varianceCorrection!)), epsilon)
      return { parameter: sub(parameter, mul(div(corrected, scale), rate)), slots: [nextMean, nextVariance] }
    },
  }
}

export interface FtrlSettings {
  readonly alpha: number
  readonly beta: number
  readonly l1: number
  readonly l2: number
}

/** FTRL-Proximal (McMahan et al. 2013), n from 0. The first weights are those that z says (0), whatever they were. */
export function ftrl({ alpha, beta, l1, l2 }: FtrlSettings): Optimiser {
  return {
    slots: [
      { name: 'z', initial: 0 },
      { name: 'n', initial: 0 },
    ],
    scalars: {},
    update(parameter, gradient, [z, n]) {
      const nextN = add(n!, square(gradient))
      const sigma = div(sub(sqrt(nextN), sqrt(n!)), alpha)
      const nextZ = sub(add(z!, gradient), mul(sigma, parameter))
      const shrunk = sub(mul(sign(nextZ), l1), nextZ)
      const rate = add(div(add(sqrt(nextN), beta), alpha), l2)
      return { parameter: where(greater(abs(nextZ), l1), div(shrunk, rate), 0), slots: [nextZ, nextN] }
    },
  }
}

/** Scales all gradients by one factor so that their joint Euclidean norm is at most `norm` (Pascanu et al. 2013). */
export function clipByNorm(gradients: readonly Value[], norm: number): readonly Value[] {
  const length = sqrt(sumAll(gradients.map((gradient) => square(gradient))))
  const factor = minimum(1, div(norm, maximum(length, 1e-12)))
  return gradients.map((gradient) => mul(gradient, factor))
}

/** A scalar input of the graph, float32 []. */
export function scalarInput(graph: Graph, name: string): Value {
  return graph.input(name, 'float32', [])
}
