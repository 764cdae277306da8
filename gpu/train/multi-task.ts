import { abs, add, div, exp, log, maximum, mul, neg, sqrt, square, stopGradient, sub } from './elementwise.ts'
import { differentiate } from './gradient.ts'
import type { Graph, Value } from './graph.ts'
import { sumAll } from './losses.ts'
import { constantParameter, type Parameter } from './parameters.ts'
import { reduceTo } from './reductions.ts'

/** How the losses of several heads on one trunk become one: what is trained besides the network, and the total. */
export interface TaskWeighting {
  readonly parameters: readonly Parameter[]
  readonly values: ReadonlyMap<string, Value>
  readonly loss: Value
  /** Replaces the gradients of `parameters`, where the method has its own. */
  readonly gradients: ReadonlyMap<string, Value>
  readonly project: (name: string, next: Value) => Value
}

const keep = (_: string, next: Value): Value => next

/** Σ wᵢ·Lᵢ with fixed weights. Each loss holds one number. */
export function fixedWeights(losses: readonly Value[], weights: readonly number[]): TaskWeighting {
  const loss = sumAll(losses.map((task, i) => mul(task, weights[i] ?? 1)))
  return { parameters: [], values: new Map(), loss, gradients: new Map(), project: keep }
}

/** Σ exp(−sᵢ)·Lᵢ + ½·sᵢ, s learnt: homoscedastic uncertainty (Kendall, Gal and Cipolla 2018, classification form). */
export function uncertaintyWeights(graph: Graph, losses: readonly Value[]): TaskWeighting {
  const parameters = losses.map((_, i) => constantParameter(`task${i}.logVariance`, [], 0))
  const values = new Map(parameters.map(({ name }) => [name, graph.input(name, 'float32', [])]))
  const terms = losses.map((task, i) => {
    const s = values.get(parameters[i]!.name)!
    return add(mul(exp(neg(s)), reduceTo(task, [])), mul(s, 0.5))
  })
  return { parameters, values, loss: sumAll(terms), gradients: new Map(), project: keep }
}

export interface GradNormSpec {
  /** The last shared layer: where the tasks' gradients meet. */
  readonly shared: Value
  /** Each task's first loss, as inputs `task<i>.firstLoss` float32 []; for k classes log(k) is the usual choice. */
  readonly firstLosses: readonly number[]
  /** How strongly slower tasks are pulled along (the paper's α). */
  readonly alpha: number
}

/**
 * GradNorm (Chen et al. 2018): Σ wᵢ·Lᵢ, where each w moves so that the gradient norm of wᵢ·Lᵢ at the shared layer nears
 * mean norm · (relative inverse training rate)^α. What is trained is kept positive; the weights are it, scaled to add up
 * to the number of tasks.
 */
export function gradNorm(
  graph: Graph,
  losses: readonly Value[],
  { shared, firstLosses, alpha }: GradNormSpec,
): TaskWeighting {
  const parameters = losses.map((_, i) => constantParameter(`task${i}.weight`, [], 1))
  const raw = parameters.map(({ name }) => graph.input(name, 'float32', []))
  const total = sumAll(raw)
  const weights = raw.map((weight) => div(mul(weight, raw.length), total))
  const scalars = losses.map((task) => reduceTo(task, []))
  const loss = sumAll(scalars.map((task, i) => mul(stopGradient(weights[i]!), task)))

  // ‖∇(w·L)‖ = w·‖∇L‖ for w ≥ 0, and ‖∇L‖ does not depend on w.
  const norms = scalars.map((task, i) => {
    const [gradient] = differentiate(task, [shared])
    return mul(weights[i]!, stopGradient(sqrt(add(sumAll([square(gradient!)]), 1e-12))))
  })
  const mean = (values: readonly Value[]): Value => mul(sumAll(values), 1 / values.length)
  const progress = scalars.map((task, i) => div(task, firstLosses[i]!))
  const averageProgress = mean(progress)
  const averageNorm = stopGradient(mean(norms))
  const distances = norms.map((norm, i) => {
    const relative = div(progress[i]!, averageProgress)
    // rᵅ = exp(α·log r), r > 0.
    const wanted = mul(averageNorm, exp(mul(log(maximum(relative, 1e-6)), alpha)))
    return abs(sub(norm, stopGradient(wanted)))
  })
  const gradients = differentiate(sumAll(distances), raw)
  const floor = 1e-3
  return {
    parameters,
    values: new Map(parameters.map(({ name }, i) => [name, raw[i]!])),
    loss,
    gradients: new Map(parameters.map(({ name }, i) => [name, gradients[i]!])),
    project: (name, next) => (parameters.some((parameter) => parameter.name === name) ? maximum(next, floor) : next),
  }
}
