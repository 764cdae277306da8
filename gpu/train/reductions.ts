import { broadcastLike, exp, mul, sub } from './elementwise.ts'
import { type Shape, sameShape, staticDim, type Value } from './graph.ts'
import type { OnnxAttribute } from './onnx-encoder.ts'

/** Reductions over axes. All keep the reduced axes as dimensions of 1, so that results broadcast back. */

const KEEP: Readonly<Record<string, OnnxAttribute>> = { keepdims: { kind: 'int', value: 1 } }

function reduce(op: string, x: Value, axes: readonly number[], gradient: (dy: Value, y: Value) => Value): Value {
  const kept = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis))
  const shape = x.shape.map((dim, axis) => (kept.includes(axis) ? 1 : dim))
  const axesValue = x.graph.constant('int64', [kept.length], kept)
  const y: Value = x.graph.node(op, [x, axesValue], {
    shape,
    attributes: KEEP,
    gradient: (dy) => [gradient(dy, y), null],
  })
  return y
}

function allAxes(x: Value): readonly number[] {
  return x.shape.map((_, axis) => axis)
}

/** Σ over `axes` (default: all), axes kept as 1. A tensor without axes is returned as it is. */
export function reduceSum(x: Value, axes: readonly number[] = allAxes(x)): Value {
  if (axes.length === 0) return x
  return reduce('ReduceSum', x, axes, (dy) => broadcastLike(dy, x))
}

/** Mean over axes whose sizes are known when the graph is written; over a batch use `weightedMean`. */
export function reduceMean(x: Value, axes: readonly number[]): Value {
  const count = axes.reduce((product, axis) => product * staticDim(x, axis), 1)
  return mul(reduceSum(x, axes), 1 / count)
}

/** log Σ exp(x) over the last axis, computed without overflow. float32 [..., 1]. */
export function reduceLogSumExp(x: Value): Value {
  return reduce('ReduceLogSumExp', x, [-1], (dy, y) => mul(dy, exp(sub(x, y))))
}

/** exp(x) / Σ exp(x) over the last axis. */
export function softmax(x: Value): Value {
  const y: Value = x.graph.node('Softmax', [x], {
    shape: x.shape,
    attributes: { axis: { kind: 'int', value: -1 } },
    gradient: (dy) => {
      const weighted = mul(dy, y)
      return [sub(weighted, mul(y, reduceSum(weighted, [-1])))]
    },
  })
  return y
}

/** x − log Σ exp(x) over the last axis. WebGPU has no kernel for ONNX's LogSoftmax. */
export function logSoftmax(x: Value): Value {
  return sub(x, reduceLogSumExp(x))
}

/** Sums out what broadcasting repeated, so that a gradient gets the shape of its operand again. */
export function reduceTo(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient
  const extra = gradient.shape.length - shape.length
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < extra || (shape[axis - extra] === 1 && gradient.shape[axis] !== 1))
  const summed = axes.length === 0 ? gradient : reduceSum(gradient, axes)
  return extra === 0 ? summed : squeezeLeading(summed, extra)
}

function squeezeLeading(x: Value, count: number): Value {
  const axes = x.graph.constant(
    'int64',
    [count],
    Array.from({ length: count }, (_, axis) => axis),
  )
  return x.graph.node('Squeeze', [x, axes], {
    shape: x.shape.slice(count),
    gradient: (dy) => [unsqueezeLeading(dy, count), null],
  })
}

function unsqueezeLeading(x: Value, count: number): Value {
  const axes = x.graph.constant(
    'int64',
    [count],
    Array.from({ length: count }, (_, axis) => axis),
  )
  return x.graph.node('Unsqueeze', [x, axes], {
    shape: [...Array.from({ length: count }, () => 1), ...x.shape],
    gradient: (dy) => [squeezeLeading(dy, count), null],
  })
}
