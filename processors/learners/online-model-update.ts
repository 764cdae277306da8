import { ByteReader, ByteWriter } from '../byte-buffer.ts'

/** What scorers get from the learner of an FTRL model. */
export interface ModelUpdate {
  /** Labels learnt from so far. */
  readonly version: number
  /** float32 [features]: each feature's mean contribution to the log-odds. */
  readonly baseline: Float32Array
  /** The weights that changed, as `Ftrl.takeDelta` writes them. */
  readonly delta: Uint8Array
}

/** update = format:varint version:varint features:varint baseline:float32{features} delta */
const FORMAT = 1

export function encodeUpdate(update: ModelUpdate): Uint8Array {
  const head = encodeBaseline(update.version, update.baseline)
  const bytes = new Uint8Array(head.length + update.delta.length)
  bytes.set(head)
  bytes.set(update.delta, head.length)
  return bytes
}

/** Throws a RangeError where the bytes are not an update for a model with `featureCount` features. */
export function decodeUpdate(bytes: Uint8Array, featureCount: number): ModelUpdate {
  const { version, baseline } = decodeBaseline(bytes, featureCount)
  return { version, baseline, delta: bytes.subarray(baselineLength(version, featureCount)) }
}

/** The update's head alone: what a scorer keeps beside the weights. */
export function encodeBaseline(version: number, baseline: Float32Array): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(FORMAT)
  writer.varint(version)
  writer.varint(baseline.length)
  for (const mean of baseline) writer.float32(mean)
  return writer.take()
}

export function decodeBaseline(bytes: Uint8Array, featureCount: number): { version: number; baseline: Float32Array } {
  const reader = new ByteReader(bytes)
  const format = reader.varint()
  if (format !== FORMAT) throw new RangeError(`model update in format ${format}; this code reads ${FORMAT}`)
  const version = reader.varint()
  const features = reader.varint()
  if (features !== featureCount) {
    throw new RangeError(`update of a model with ${features} features applied to one with ${featureCount}`)
  }
  return { version, baseline: Float32Array.from({ length: features }, () => reader.float32()) }
}

function baselineLength(version: number, featureCount: number): number {
  return varintLength(FORMAT) + varintLength(version) + varintLength(featureCount) + featureCount * 4
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}
