import { type Shape, staticDim, type Value } from './graph.ts'
import type { Dim } from './onnx-encoder.ts'

/** Operators that move numbers without computing: concat, slice, reshape, rows of an embedding table. */

/** Joins along the last axis. */
export function concat(parts: readonly Value[]): Value {
  const first = parts[0]
  if (first === undefined) throw new Error('Nothing to concatenate.')
  const widths = parts.map((part) => staticDim(part, -1))
  const shape = [...first.shape.slice(0, -1), widths.reduce((sum, width) => sum + width, 0)]
  return first.graph.node('Concat', parts, {
    shape,
    attributes: { axis: { kind: 'int', value: shape.length - 1 } },
    gradient: (dy) => {
      let from = 0
      return widths.map((width) => {
        const part = slice(dy, from, from + width)
        from += width
        return part
      })
    },
  })
}

/** Columns [from, to) of the last axis. */
export function slice(x: Value, from: number, to: number): Value {
  const width = staticDim(x, -1)
  if (from < 0 || to > width || from >= to) throw new Error(`Slice [${from}, ${to}) of ${width} columns.`)
  const axis = x.shape.length - 1
  const at = (value: number) => x.graph.constant('int64', [1], [value])
  return x.graph.node('Slice', [x, at(from), at(to), at(axis)], {
    shape: [...x.shape.slice(0, -1), to - from],
    gradient: (dy) => [padColumns(dy, from, width - to), null, null, null],
  })
}

function padColumns(x: Value, before: number, after: number): Value {
  const rank = x.shape.length
  const width = staticDim(x, -1)
  const pads = Array.from({ length: rank * 2 }, (_, i) => (i === rank - 1 ? before : i === 2 * rank - 1 ? after : 0))
  return x.graph.node('Pad', [x, x.graph.constant('int64', [rank * 2], pads)], {
    shape: [...x.shape.slice(0, -1), before + width + after],
    gradient: (dy) => [slice(dy, before, before + width), null],
  })
}

/** The same numbers, row-major, in another shape; at most one dimension may be named. */
export function reshape(x: Value, shape: Shape): Value {
  const dims = x.graph.constant('int64', [shape.length], shape.map(asReshapeDim))
  return x.graph.node('Reshape', [x, dims], { shape, gradient: (dy) => [reshape(dy, x.shape), null] })
}

function asReshapeDim(dim: Dim): number {
  return typeof dim === 'number' ? dim : -1
}

/**
 * Rows of an embedding table: float32 [batch, fields, width] from table float32 [rows, width] and
 * indices int64 [batch, fields, 1]. Indices come with their last axis, so that no integer is reshaped on the way:
 * WebGPU would do that on the CPU. The gradient adds up repeated rows (unordered on GPUs, in order on the CPU).
 */
export function gatherRows(table: Value, indices: Value): Value {
  const width = staticDim(table, 1)
  const [batch, fields, last] = indices.shape
  if (batch === undefined || fields === undefined || last !== 1) {
    throw new Error(`Embedding indices must be [batch, fields, 1], not [${indices.shape.join(', ')}].`)
  }
  return table.graph.node('GatherND', [table, indices], {
    shape: [batch, fields, width],
    gradient: (dy) => [scatterRows(table, indices, dy), null],
  })
}

function scatterRows(like: Value, indices: Value, rows: Value): Value {
  const zeros = like.graph.node('Sub', [like, like], { shape: like.shape, gradient: null })
  return like.graph.node('ScatterND', [zeros, indices, rows], {
    shape: like.shape,
    attributes: { reduction: { kind: 'text', value: 'add' } },
    gradient: (dy) => [null, null, gatherRows(dy, indices)],
  })
}
