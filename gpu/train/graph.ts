import type { Dim, OnnxAttribute, OnnxNode, OnnxPort, OnnxTensor, OnnxType } from './onnx-encoder.ts'

export type Shape = readonly Dim[]

/** One tensor of a graph: an input, a constant or the output of a node. Its shape is known when the graph is written. */
export interface Value {
  readonly graph: Graph
  readonly name: string
  readonly type: OnnxType
  readonly shape: Shape
}

/**
 * The vector–Jacobian product of a node: given d loss / d output, writes nodes for d loss / d input, one per input.
 * null: no gradient flows there (indices, conditions, constants).
 */
export type Gradient = (upstream: Value) => readonly (Value | null)[]

interface TapeEntry {
  readonly output: Value
  readonly inputs: readonly Value[]
  readonly gradient: Gradient | null
}

interface NodeShape {
  readonly type?: OnnxType
  readonly shape: Shape
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>
  /** null: this node stops gradients. */
  readonly gradient: Gradient | null
}

/** A graph being written: nodes in execution order, with what reverse-mode differentiation needs to know of each. */
export interface Graph {
  readonly inputs: readonly Value[]
  readonly initializers: readonly OnnxTensor[]
  readonly nodes: readonly OnnxNode[]
  readonly tape: readonly TapeEntry[]
  input(name: string, type: OnnxType, shape: Shape): Value
  /** A constant in the graph. Equal constants are stored once. */
  constant(type: OnnxType, dims: readonly number[], data: ArrayLike<number>): Value
  node(op: string, inputs: readonly Value[], shape: NodeShape): Value
  /** `value` with a gradient of its own towards `inputs`, in place of the one that its parts would give. */
  withGradient(value: Value, inputs: readonly Value[], gradient: Gradient): Value
}

export function createGraph(): Graph {
  const inputs: Value[] = []
  const initializers: OnnxTensor[] = []
  const nodes: OnnxNode[] = []
  const tape: TapeEntry[] = []
  const constants = new Map<string, Value>()

  const graph: Graph = {
    inputs,
    initializers,
    nodes,
    tape,
    input(name, type, shape) {
      if (inputs.some((input) => input.name === name)) throw new Error(`The graph has two inputs named ${name}.`)
      const value: Value = { graph, name, type, shape }
      inputs.push(value)
      return value
    },
    constant(type, dims, data) {
      const key = `${type} ${dims.join('x')} ${Array.from(data).join(' ')}`
      const known = constants.get(key)
      if (known !== undefined) return known
      const value: Value = { graph, name: `constant_${initializers.length}`, type, shape: dims }
      initializers.push({ name: value.name, type, dims, data })
      constants.set(key, value)
      return value
    },
    node(op, from, { type = 'float32', shape, attributes, gradient }) {
      const output: Value = { graph, name: `${op}_${nodes.length}`, type, shape }
      nodes.push({
        op,
        inputs: from.map((input) => input.name),
        outputs: [output.name],
        ...(attributes === undefined ? {} : { attributes }),
      })
      tape.push({ output, inputs: from, gradient })
      return output
    },
    withGradient(value, from, gradient) {
      const output: Value = { graph, name: `Identity_${nodes.length}`, type: value.type, shape: value.shape }
      nodes.push({ op: 'Identity', inputs: [value.name], outputs: [output.name] })
      tape.push({ output, inputs: from, gradient })
      return output
    },
  }
  return graph
}

/** A float32 scalar, shape []. */
export function scalar(graph: Graph, value: number): Value {
  return graph.constant('float32', [], [value])
}

export function asPort(value: Value, name = value.name): OnnxPort {
  return { name, type: value.type, shape: value.shape }
}

/** The shape of an elementwise result under NumPy's broadcasting. A named dimension fits itself and 1. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1
    const right = b[b.length - rank + i] ?? 1
    if (left === right || right === 1) return left
    if (left === 1) return right
    throw new Error(`Shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast.`)
  })
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i])
}

/** A dimension that has to be a number when the graph is written. */
export function staticDim(value: Value, axis: number): number {
  const dim = value.shape.at(axis)
  if (typeof dim !== 'number')
    throw new Error(`Dimension ${axis} of ${value.name} must be known when the graph is written.`)
  return dim
}
