import { littleEndianFloats, type ProtobufWriter, protobufWriter } from './protobuf.ts'

/**
 * ONNX models as plain data, and their encoding as a `ModelProto`
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; field numbers are those of that file).
 */
export type OnnxType = 'float32' | 'int64' | 'bool'

/** A number, or the name of a dimension known only when the model runs (`batch`). */
export type Dim = number | string

export interface OnnxTensor {
  readonly name: string
  readonly type: OnnxType
  readonly dims: readonly number[]
  /** float32: numbers; int64: integers; bool: 0 or 1. Row-major. */
  readonly data: ArrayLike<number>
  /** Where the data lies, if not in the model: `location` relative to the model's folder. `data` is then ignored. */
  readonly external?: { readonly location: string }
}

export interface OnnxPort {
  readonly name: string
  readonly type: OnnxType
  readonly shape: readonly Dim[]
}

export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'texts'; readonly value: readonly string[] }

export interface OnnxNode {
  readonly op: string
  /** '' is ONNX's own operator set. */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>
}

export interface OnnxModel {
  readonly name: string
  readonly inputs: readonly OnnxPort[]
  readonly outputs: readonly OnnxPort[]
  readonly initializers: readonly OnnxTensor[]
  readonly nodes: readonly OnnxNode[]
  /** Operator-set versions besides ONNX's own, by domain (`ai.onnx.ml`: 3). */
  readonly domains?: Readonly<Record<string, number>>
  /** null: the model uses none of ONNX's own operators, and imports none. Left out: OPSET. */
  readonly opset?: number | null
}

/** Opset 18: the first with axes as inputs in every reduction and with scatter-add in the CUDA and WebGPU kernels. */
export const OPSET = 18
const IR_VERSION = 8

const TENSOR_TYPE: Readonly<Record<OnnxType, number>> = { float32: 1, int64: 7, bool: 9 }
const EXTERNAL = 1

/** The bytes of an `.onnx` file. Pure: the same model gives the same bytes. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  const writer = protobufWriter(1024)
  writer.varint(1, IR_VERSION)
  writer.text(2, 'rheo')
  writer.nested(7, (graph) => writeGraph(graph, model))
  const { opset: own = OPSET } = model
  if (own !== null) writer.nested(8, (opset) => writeOpset(opset, '', own))
  for (const [domain, version] of Object.entries(model.domains ?? {})) {
    writer.nested(8, (opset) => writeOpset(opset, domain, version))
  }
  return writer.finish()
}

function writeOpset(writer: ProtobufWriter, domain: string, version: number): void {
  writer.text(1, domain)
  writer.varint(2, version)
}

function writeGraph(writer: ProtobufWriter, model: OnnxModel): void {
  for (const node of model.nodes) writer.nested(1, (into) => writeNode(into, node))
  writer.text(2, model.name)
  for (const tensor of model.initializers) writer.nested(5, (into) => writeTensor(into, tensor))
  for (const input of model.inputs) writer.nested(11, (into) => writePort(into, input))
  for (const output of model.outputs) writer.nested(12, (into) => writePort(into, output))
}

function writeNode(writer: ProtobufWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.text(1, input)
  for (const output of node.outputs) writer.text(2, output)
  writer.text(4, node.op)
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    writer.nested(5, (into) => writeAttribute(into, name, attribute))
  }
  if (node.domain !== undefined) writer.text(7, node.domain)
}

function writeAttribute(writer: ProtobufWriter, name: string, attribute: OnnxAttribute): void {
  writer.text(1, name)
  switch (attribute.kind) {
    case 'float':
      writer.float(2, attribute.value)
      writer.varint(20, 1)
      break
    case 'int':
      writer.varint(3, attribute.value)
      writer.varint(20, 2)
      break
    case 'text':
      writer.text(4, attribute.value)
      writer.varint(20, 3)
      break
    case 'floats':
      // AttributeProto's lists are not packed.
      for (const value of attribute.value) writer.float(7, value)
      writer.varint(20, 6)
      break
    case 'ints':
      for (const value of attribute.value) writer.varint(8, value)
      writer.varint(20, 7)
      break
    case 'texts':
      for (const value of attribute.value) writer.text(9, value)
      writer.varint(20, 8)
      break
  }
}

function writeTensor(writer: ProtobufWriter, tensor: OnnxTensor): void {
  writer.packedVarints(1, tensor.dims)
  writer.varint(2, TENSOR_TYPE[tensor.type])
  writer.text(8, tensor.name)
  if (tensor.external !== undefined) {
    const { location } = tensor.external
    writer.nested(13, (entry) => {
      entry.text(1, 'location')
      entry.text(2, location)
    })
    writer.varint(14, EXTERNAL)
  } else writer.bytes(9, rawData(tensor))
}

function rawData(tensor: OnnxTensor): Uint8Array {
  switch (tensor.type) {
    case 'float32':
      return littleEndianFloats(tensor.data)
    case 'bool':
      return Uint8Array.from(tensor.data)
    case 'int64': {
      const bytes = new Uint8Array(tensor.data.length * 8)
      const view = new DataView(bytes.buffer)
      for (let i = 0; i < tensor.data.length; i++) view.setBigInt64(i * 8, BigInt(tensor.data[i] ?? 0), true)
      return bytes
    }
  }
}

function writePort(writer: ProtobufWriter, port: OnnxPort): void {
  writer.text(1, port.name)
  writer.nested(2, (type) =>
    type.nested(1, (tensor) => {
      tensor.varint(1, TENSOR_TYPE[port.type])
      tensor.nested(2, (shape) => {
        for (const dim of port.shape) {
          shape.nested(1, (into) => (typeof dim === 'number' ? into.varint(1, dim) : into.text(2, dim)))
        }
      })
    }),
  )
}
