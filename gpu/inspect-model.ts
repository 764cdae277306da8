import { RheoError } from '../schemas/errors.ts'
import { readFields, textOf } from './protobuf-reader.ts'

/** What a model file says of itself, read before the runtime sees it. */
export interface ModelContents {
  /** Version of ONNX's own operator set; null: it imports none, as a model of trees alone need not. */
  readonly opset: number | null
  /** Domains of the operators that its nodes use; '' is ONNX's own. */
  readonly domains: ReadonlySet<string>
}

export interface ModelLimits {
  readonly maxFileBytes: number
  /** Elements of one stored tensor, and of all together. */
  readonly maxElements: number
  /** Subgraphs within subgraphs, functions within functions. */
  readonly maxDepth: number
}

/** 256 MiB of weights hold 64 million float32: far more than a model scored on every event can afford. */
export const MODEL_LIMITS: ModelLimits = { maxFileBytes: 256 * 2 ** 20, maxElements: 64 * 2 ** 20, maxDepth: 8 }

/** What exporters begin a model with: the tag of field 1, `ir_version`. No text and no picture begins with it. */
const IR_VERSION_TAG = 8

const NO_MODEL = 'it is not an ONNX model'
const EXPORT_ONE = 'Give the .onnx file that an exporter wrote (docs/models.md).'

/** Operators of ONNX and of its machine-learning part; anything else needs code that the model file does not carry. */
const KNOWN_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml'])

/**
 * Reads the structure of a `ModelProto` and refuses what must not be loaded: damaged bytes, more or larger tensors than
 * `limits`, operators of unknown domains, weights in other files. MODEL_INVALID names the fault.
 */
export function inspectModel(bytes: Uint8Array, limits: ModelLimits = MODEL_LIMITS): ModelContents {
  if (bytes.length > limits.maxFileBytes)
    refuse(`the file has ${bytes.length} bytes, at most ${limits.maxFileBytes} are allowed`)
  const domains = new Set<string>()
  let elements = 0
  let opset: number | null = null
  let imports = 0
  let graphs = 0

  function model(message: Uint8Array): void {
    for (const field of readFields(message, [7, 8, 25])) {
      if (field.kind !== 'bytes') continue
      if (field.number === 7) {
        graphs++
        graph(field.value, 0)
      } else if (field.number === 8) opsetImport(field.value)
      else if (field.number === 25) localFunction(field.value)
    }
  }

  function opsetImport(message: Uint8Array): void {
    let domain = ''
    let version = 0
    for (const field of readFields(message, [1, 2])) {
      if (field.number === 1 && field.kind === 'bytes') domain = textOf(field.value)
      if (field.number === 2 && field.kind === 'varint') version = Number(field.value)
    }
    imports++
    if (domain === '' || domain === 'ai.onnx') opset = version
  }

  function localFunction(message: Uint8Array): void {
    for (const field of readFields(message, [7])) if (field.kind === 'bytes') node(field.value, 1)
  }

  function graph(message: Uint8Array, depth: number): void {
    if (depth > limits.maxDepth) refuse(`graphs lie more than ${limits.maxDepth} deep in one another`)
    for (const field of readFields(message, [1, 5, 15])) {
      if (field.kind !== 'bytes') continue
      if (field.number === 1) node(field.value, depth)
      else if (field.number === 5) tensor(field.value)
      else if (field.number === 15) refuse('it holds sparse tensors')
    }
  }

  function node(message: Uint8Array, depth: number): void {
    let domain = ''
    let op = ''
    for (const field of readFields(message, [4, 5, 7])) {
      if (field.kind !== 'bytes') continue
      if (field.number === 4) op = textOf(field.value)
      else if (field.number === 7) domain = textOf(field.value)
      else if (field.number === 5) attribute(field.value, depth)
    }
    if (!KNOWN_DOMAINS.has(domain)) refuse(`operator ${op} of domain ${domain} is a custom operator`)
    domains.add(domain)
  }

  function attribute(message: Uint8Array, depth: number): void {
    for (const field of readFields(message, [5, 6, 10, 11])) {
      if (field.kind !== 'bytes') continue
      if (field.number === 5 || field.number === 10) tensor(field.value)
      else if (field.number === 6 || field.number === 11) graph(field.value, depth + 1)
    }
  }

  function tensor(message: Uint8Array): void {
    let size = 1
    let name = ''
    const count = (dim: bigint): void => {
      if (dim < 0n || dim > BigInt(limits.maxElements))
        refuse(`tensor ${name} has a dimension of ${BigInt.asIntN(64, dim)}`)
      size *= Number(dim)
    }
    for (const field of readFields(message, [1, 8, 13])) {
      if (field.number === 1 && field.kind === 'varint') count(field.value)
      else if (field.number === 1 && field.kind === 'bytes') for (const dim of packedVarints(field.value)) count(dim)
      else if (field.number === 8 && field.kind === 'bytes') name = textOf(field.value)
      else if (field.number === 13 && field.kind === 'bytes') external(field.value)
    }
    elements += size
    if (elements > limits.maxElements) refuse(`its tensors hold more than ${limits.maxElements} numbers`)
  }

  function external(message: Uint8Array): void {
    const entry: Record<number, string> = {}
    for (const field of readFields(message, [1, 2]))
      if (field.kind === 'bytes') entry[field.number] = textOf(field.value)
    if (entry[1] !== 'location') return
    const location = JSON.stringify((entry[2] ?? '').slice(0, 80))
    refuse(`it keeps weights in another file, ${location}`, 'Save the model with its weights inside the .onnx file.')
  }

  try {
    model(bytes)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    if (bytes[0] !== IR_VERSION_TAG) refuse(NO_MODEL, EXPORT_ONE)
    refuse(`the file is damaged or truncated: ${error.message}`, 'Copy or export it once more.')
  }
  if (graphs !== 1 || imports === 0) refuse(NO_MODEL, EXPORT_ONE)
  return { opset, domains }
}

function* packedVarints(bytes: Uint8Array): Generator<bigint> {
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift
    shift += 7n
    if (shift > 70n) throw new RangeError('varint of more than ten bytes')
    if (byte < 128) {
      yield BigInt.asUintN(64, value)
      value = 0n
      shift = 0n
    }
  }
}

function refuse(fault: string, hint = 'docs/models.md says what a model may hold.'): never {
  throw new RheoError('MODEL_INVALID', `The model file is refused: ${fault}.`, { hint })
}
