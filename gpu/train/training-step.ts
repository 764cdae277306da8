import { compile } from './compile.ts'
import { add, mul } from './elementwise.ts'
import { differentiate } from './gradient.ts'
import type { Graph, Value } from './graph.ts'
import type { OnnxModel } from './onnx-encoder.ts'
import { clipByNorm, type Optimiser, scalarInput } from './optimisers.ts'
import { constantParameter, type Parameter } from './parameters.ts'

/** One training step as a model: inputs are the batch and the state, outputs the next state (`<name>'`) and the metrics. */
export interface TrainingStep {
  readonly model: OnnxModel
  /** Everything that goes from one step to the next: weights, then the optimiser's tensors. */
  readonly state: readonly Parameter[]
  /** What each step reads and leaves as it is: frozen weights, EWC's centre and Fisher information. */
  readonly held: readonly Parameter[]
  /** Metric outputs, float32 with one number each. */
  readonly metrics: readonly string[]
}

export interface TrainingStepSpec {
  readonly graph: Graph
  /** What is trained, and how each is declared in the graph. */
  readonly parameters: readonly Parameter[]
  readonly values: ReadonlyMap<string, Value>
  /** What is minimised: one number. */
  readonly loss: Value
  readonly optimiser: Optimiser
  /** Inputs of the graph that the step reads and leaves as they are. Declared by the caller, as the parameters are. */
  readonly held?: readonly Parameter[]
  /** Bound on the joint norm of the gradients. */
  readonly clipNorm?: number
  readonly metrics?: Readonly<Record<string, Value>>
  /** Gradients to use in place of those of `loss`, by parameter name: GradNorm's own for its task weights. */
  readonly gradients?: ReadonlyMap<string, Value>
  /** A last word on new parameters before they are put out, by name: GradNorm renormalises its task weights. */
  readonly project?: (name: string, next: Value) => Value
}

/** The name of the output that holds the next value of a state input. */
export function nextName(name: string): string {
  return `${name}'`
}

/** Writes the backward pass and the optimiser behind `loss`, and cuts the step out of the graph. */
export function trainingStep(spec: TrainingStepSpec): TrainingStep {
  const { graph, parameters, values, loss, optimiser, clipNorm, gradients: given, held = [] } = spec
  const project = spec.project ?? ((_: string, next: Value) => next)
  const own = parameters.filter((parameter) => !given?.has(parameter.name))
  const raw = differentiate(
    loss,
    own.map((parameter) => values.get(parameter.name)!),
  )
  const clipped = clipNorm === undefined ? raw : clipByNorm(raw, clipNorm)
  const gradients = new Map(given ?? [])
  own.forEach((parameter, i) => {
    gradients.set(parameter.name, clipped[i]!)
  })

  const state: Parameter[] = [...parameters]
  const outputs: Record<string, Value> = {}
  const scalars: Record<string, Value> = {}
  for (const [name, beta] of Object.entries(optimiser.scalars)) {
    const value = scalarInput(graph, name)
    scalars[name] = value
    state.push(constantParameter(name, [], 1 - beta))
    outputs[nextName(name)] = add(mul(value, beta), 1 - beta)
  }
  for (const parameter of parameters) {
    const slots = optimiser.slots.map(({ name, initial }) => {
      const slot = constantParameter(`${parameter.name}.${name}`, parameter.dims, initial)
      state.push(slot)
      return graph.input(slot.name, 'float32', parameter.dims)
    })
    const next = optimiser.update(values.get(parameter.name)!, gradients.get(parameter.name)!, slots, scalars)
    outputs[nextName(parameter.name)] = project(parameter.name, next.parameter)
    next.slots.forEach((slot, i) => {
      outputs[nextName(slots[i]!.name)] = slot
    })
  }
  const metrics = { loss, ...spec.metrics }
  return { model: compile('training-step', { ...outputs, ...metrics }), state, held, metrics: Object.keys(metrics) }
}
