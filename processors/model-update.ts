import { ByteReader, ByteWriter } from './byte-buffer.ts'
import type { CalibrationSettings } from './learners/calibration.ts'
import { type BlendSettings, readBlend, writeBlend } from './learners/stacker.ts'
import type { PolicySettings } from './policies/policy.ts'
import type { BodyCodec } from './step.ts'

/** The kind of the learner's entries on the scoring stage's topic. */
export const MODEL = '$model'

/** What the learner tells every scorer. */
export interface ModelUpdate {
  /** Changed weights, as `ModelLearner.takeUpdate` gave them, for the arms that still learn. */
  readonly bytes: Uint8Array
  /** The declared arms, then the models that came since. */
  readonly arms: readonly ArmUpdate[]
  /** How the champion is blended; null: no model was ever there to blend in. */
  readonly blend: BlendSettings | null
}

export interface ArmUpdate {
  readonly name: string
  readonly learns: boolean
  readonly calibration: CalibrationSettings
  readonly policy: PolicySettings
}

export const modelUpdateCodec: BodyCodec = {
  encode(body) {
    const { bytes, arms, blend } = body as ModelUpdate
    const writer = ByteWriter.borrow()
    writer.blob(bytes)
    writer.varint(arms.length)
    for (const { name, learns, calibration, policy } of arms) {
      writer.text(name)
      writer.byte(learns ? 1 : 0)
      writer.float64(calibration.slope)
      writer.float64(calibration.intercept)
      writer.float64s(Float64Array.from(policy))
    }
    if (blend !== null) writeBlend(writer, blend)
    return writer.take()
  },
  decode(bytes): ModelUpdate {
    const reader = new ByteReader(bytes)
    const update = reader.blob()
    const arms = Array.from({ length: reader.varint() }, () => ({
      name: reader.text(),
      learns: reader.byte() === 1,
      calibration: { slope: reader.float64(), intercept: reader.float64() },
      policy: [...reader.float64s()],
    }))
    return { bytes: update, arms, blend: reader.done ? null : readBlend(reader) }
  },
}

/** The kind of a stored score paired with its label, on the learner's topic. */
export const EXAMPLE = '$example'

/** What one arm served. */
export interface ArmScore {
  /** Before calibration. */
  readonly rawLogit: number
  /** Calibrated; the number that the policy cuts. */
  readonly logit: number
  readonly probability: number
  readonly threshold: number
}

/** What a model that is no declared arm served; as such the first is always the champion's online model alone. */
export interface ModelScore extends ArmScore {
  readonly name: string
  readonly version: string
}

export const NO_MODELS: readonly ModelScore[] = []

export interface Example {
  readonly label: 0 | 1
  /** True when the opposite label was learnt before. */
  readonly corrected: boolean
  /** The scored event's time (ms); the entry's own event time is the label's. */
  readonly scoredMs: number
  readonly amount: number
  /** In the order of the scenario's arms. */
  readonly arms: readonly ArmScore[]
  /** float64 [features], as served. */
  readonly features: Float64Array
  readonly models: readonly ModelScore[]
}

export const exampleCodec: BodyCodec = {
  encode(body) {
    const { label, corrected, scoredMs, amount, arms, features, models } = body as Example
    const writer = ByteWriter.borrow()
    writer.byte(label + (corrected ? 2 : 0))
    writer.float64(scoredMs)
    writer.float64(amount)
    writeArms(writer, arms)
    writer.float64s(features)
    writeModels(writer, models)
    return writer.take()
  },
  decode(bytes): Example {
    const reader = new ByteReader(bytes)
    const flags = reader.byte()
    const scoredMs = reader.float64()
    const amount = reader.float64()
    const arms = readArms(reader)
    const features = reader.float64s()
    const label = (flags & 1) as 0 | 1
    return { label, corrected: flags > 1, scoredMs, amount, arms, features, models: readModels(reader) }
  },
}

/** The kind of a score on the learner's topic as soon as it is served: policies watch scores before their labels come. */
export const SERVED = '$served'

export interface ServedScore {
  readonly amount: number
  readonly arms: readonly ArmScore[]
  readonly models: readonly ModelScore[]
}

export const servedScoreCodec: BodyCodec = {
  encode(body) {
    const { amount, arms, models } = body as ServedScore
    const writer = ByteWriter.borrow()
    writer.float64(amount)
    writeArms(writer, arms)
    writeModels(writer, models)
    return writer.take()
  },
  decode(bytes): ServedScore {
    const reader = new ByteReader(bytes)
    return { amount: reader.float64(), arms: readArms(reader), models: readModels(reader) }
  },
}

export function writeArms(writer: ByteWriter, arms: readonly ArmScore[]): void {
  writer.varint(arms.length)
  for (const arm of arms)
    for (const value of [arm.rawLogit, arm.logit, arm.probability, arm.threshold]) writer.float64(value)
}

export function readArms(reader: ByteReader): ArmScore[] {
  return Array.from({ length: reader.varint() }, () => ({
    rawLogit: reader.float64(),
    logit: reader.float64(),
    probability: reader.float64(),
    threshold: reader.float64(),
  }))
}

/** Stands last in what it is written to: nothing at all where there are no models. */
export function writeModels(writer: ByteWriter, models: readonly ModelScore[]): void {
  if (models.length === 0) return
  writeArms(writer, models)
  for (const { name, version } of models) {
    writer.text(name)
    writer.text(version)
  }
}

export function readModels(reader: ByteReader): readonly ModelScore[] {
  if (reader.done) return NO_MODELS
  return readArms(reader).map((arm) => ({ name: reader.text(), version: reader.text(), ...arm }))
}
