import { broadcastShape, type Gradient, type Shape, sameShape, scalar, type Value } from './graph.ts'
import { reduceTo } from './reductions.ts'

/** Elementwise operators with NumPy broadcasting, and their gradients. All tensors float32 unless said. */

type Operand = Value | number

function pair(a: Operand, b: Operand): readonly [Value, Value] {
  if (typeof a === 'object') return [a, typeof b === 'object' ? b : scalar(a.graph, b)]
  if (typeof b === 'object') return [scalar(b.graph, a), b]
  throw new Error('An elementwise operator needs at least one tensor.')
}

function binary(op: string, a: Value, b: Value, gradient: Gradient): Value {
  return a.graph.node(op, [a, b], { shape: broadcastShape(a.shape, b.shape), gradient })
}

function unary(op: string, x: Value, local: ((y: Value, x: Value) => Value) | null): Value {
  const y: Value = x.graph.node(op, [x], {
    shape: x.shape,
    gradient: local === null ? null : (dy) => [mul(dy, local(y, x))],
  })
  return y
}

export function add(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return binary('Add', a, b, (dy) => [reduceTo(dy, a.shape), reduceTo(dy, b.shape)])
}

export function sub(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return binary('Sub', a, b, (dy) => [reduceTo(dy, a.shape), reduceTo(neg(dy), b.shape)])
}

export function mul(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return binary('Mul', a, b, (dy) => [reduceTo(mul(dy, b), a.shape), reduceTo(mul(dy, a), b.shape)])
}

export function div(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  const quotient: Value = binary('Div', a, b, (dy) => [
    reduceTo(div(dy, b), a.shape),
    reduceTo(neg(div(mul(dy, quotient), b)), b.shape),
  ])
  return quotient
}

/** max(a, b); where they are equal the gradient goes to `b`. */
export function maximum(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return binary('Max', a, b, (dy) => {
    const fromA = greater(a, b)
    return [reduceTo(where(fromA, dy, 0), a.shape), reduceTo(where(fromA, 0, dy), b.shape)]
  })
}

/** min(a, b); where they are equal the gradient goes to `b`. */
export function minimum(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return binary('Min', a, b, (dy) => {
    const fromA = less(a, b)
    return [reduceTo(where(fromA, dy, 0), a.shape), reduceTo(where(fromA, 0, dy), b.shape)]
  })
}

export function neg(x: Value): Value {
  return mul(x, -1)
}

export function exp(x: Value): Value {
  return unary('Exp', x, (y) => y)
}

/** Natural logarithm. */
export function log(x: Value): Value {
  return unary('Log', x, (_, from) => div(1, from))
}

export function sqrt(x: Value): Value {
  return unary('Sqrt', x, (y) => div(0.5, y))
}

export function square(x: Value): Value {
  return mul(x, x)
}

/** |x|, with gradient 0 at 0. */
export function abs(x: Value): Value {
  return unary('Abs', x, (_, from) => sign(from))
}

/** −1, 0 or 1, without a gradient. By comparisons: WebGPU has no kernel for ONNX's Sign. */
export function sign(x: Value): Value {
  return where(greater(x, 0), 1, where(less(x, 0), -1, 0, x.shape))
}

/** max(0, x), with gradient 0 at 0. */
export function relu(x: Value): Value {
  return unary('Relu', x, (_, from) => where(greater(from, 0), 1, 0))
}

export function sigmoid(x: Value): Value {
  return unary('Sigmoid', x, (y) => mul(y, sub(1, y)))
}

export function tanh(x: Value): Value {
  return unary('Tanh', x, (y) => sub(1, square(y)))
}

/** x·σ(x) (Elfwing, Uchibe and Doya 2018): shaped like ReLU, with a derivative that does not jump. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x))
}

/** The exact Gaussian error linear unit, x·Φ(x) (Hendrycks and Gimpel 2016). */
export function gelu(x: Value): Value {
  const erf = unary('Erf', mul(x, Math.SQRT1_2), (_, from) => mul(exp(neg(square(from))), 2 / Math.sqrt(Math.PI)))
  return mul(mul(x, 0.5), add(erf, 1))
}

/** bool [broadcast of a and b]. */
export function greater(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return a.graph.node('Greater', [a, b], { type: 'bool', shape: broadcastShape(a.shape, b.shape), gradient: null })
}

/** bool [broadcast of a and b]. */
export function less(left: Operand, right: Operand): Value {
  const [a, b] = pair(left, right)
  return a.graph.node('Less', [a, b], { type: 'bool', shape: broadcastShape(a.shape, b.shape), gradient: null })
}

/** `yes` where the condition holds, else `no`. Gradients go to the branch taken. */
export function where(condition: Value, yes: Operand, no: Operand, shape?: Shape): Value {
  const a = typeof yes === 'object' ? yes : scalar(condition.graph, yes)
  const b = typeof no === 'object' ? no : scalar(condition.graph, no)
  return condition.graph.node('Where', [condition, a, b], {
    shape: shape ?? broadcastShape(condition.shape, broadcastShape(a.shape, b.shape)),
    gradient: (dy) => [null, reduceTo(where(condition, dy, 0), a.shape), reduceTo(where(condition, 0, dy), b.shape)],
  })
}

/** `x` repeated to the shape of `like`. By comparison and choice, since ONNX's Expand needs the shape as a CPU tensor. */
export function broadcastLike(x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x
  const everywhere = like.graph.node('Equal', [like, like], { type: 'bool', shape: like.shape, gradient: null })
  return like.graph.node('Where', [everywhere, x, x], {
    shape: like.shape,
    gradient: (dy) => [null, reduceTo(dy, x.shape), null],
  })
}

/** `x` as a constant of differentiation: the same numbers, and no gradient. */
export function stopGradient(x: Value): Value {
  return x.graph.node('Identity', [x], { shape: x.shape, gradient: null })
}
