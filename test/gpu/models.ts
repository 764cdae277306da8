import { createHash } from 'node:crypto'
import type { Manifest } from '../../gpu/manifest.ts'
import { compile } from '../../gpu/train/compile.ts'
import { sigmoid } from '../../gpu/train/elementwise.ts'
import { createGraph } from '../../gpu/train/graph.ts'
import { declareParameters, mlp, mlpParameters } from '../../gpu/train/mlp.ts'
import { encodeOnnx, type OnnxModel, OPSET } from '../../gpu/train/onnx-encoder.ts'
import { asInitializer, seededRandom } from '../../gpu/train/parameters.ts'

/** An MLP inputs → hidden → 1 with a sigmoid, input `x`, output `p`. */
export function mlpModel(inputs = 4, hidden = 8, seed = 1): OnnxModel {
  const graph = createGraph()
  const x = graph.input('x', 'float32', ['batch', inputs])
  const parameters = mlpParameters('', [inputs, hidden, 1], seededRandom(seed))
  const p = sigmoid(mlp(x, '', declareParameters(graph, parameters)))
  return compile(
    'mlp',
    { p },
    parameters.map((parameter) => asInitializer(parameter)),
  )
}

/** A model whose one node computes `p` from `x` by an operator without attributes. */
export function oneNodeModel(op: string, width = 4, more: Partial<OnnxModel> = {}): OnnxModel {
  return {
    name: 'one-node',
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', width] }],
    outputs: [{ name: 'p', type: 'float32', shape: ['batch', width] }],
    initializers: [],
    nodes: [{ op, inputs: ['x'], outputs: ['p'] }],
    ...more,
  }
}

export function manifestOf(bytes: Uint8Array, features: readonly string[], more: Partial<Manifest> = {}): Manifest {
  return {
    name: 'test-model',
    version: '1',
    input: { name: 'x', dtype: 'float32', features: [...features] },
    missing: { rule: 'constant', value: 0 },
    outputs: [{ name: 'p', width: 1 }],
    opset: OPSET,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    trainingRange: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' },
    licence: 'Apache-2.0',
    ...more,
  }
}

export const FOUR = ['a', 'b', 'c', 'd'] as const

export function mlpBytes(seed = 1): Uint8Array {
  return encodeOnnx(mlpModel(4, 8, seed))
}
