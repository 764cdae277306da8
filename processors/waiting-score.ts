import { ByteReader, ByteWriter } from './byte-buffer.ts'
import {
  type ArmScore,
  type ModelScore,
  NO_MODELS,
  readArms,
  readModels,
  writeArms,
  writeModels,
} from './model-update.ts'
import type { Verdict } from './policies/policy.ts'
import { NO_NAMES } from './rules.ts'
import type { BodyCodec } from './step.ts'

type Fields = Readonly<Record<string, unknown>>

/** A score that waits for its label, or a label that waits for its score. */
export interface Waiting {
  event: Fields | null
  eventTimeMs: number
  features: Float64Array | null
  arms: readonly ArmScore[]
  decision: Verdict
  ruleHits: readonly string[]
  modelVersion: number
  models: readonly ModelScore[]
  /** null: not labelled yet. */
  truth: boolean | null
  labelTimeMs: number
  source: string
}

const NO_ARMS: readonly ArmScore[] = []
const VERDICTS: readonly Verdict[] = ['allow', 'review', 'challenge', 'block']

export function unlabelled(): Waiting {
  return {
    event: null,
    eventTimeMs: 0,
    features: null,
    arms: NO_ARMS,
    decision: 'allow',
    ruleHits: NO_NAMES,
    modelVersion: 0,
    models: NO_MODELS,
    truth: null,
    labelTimeMs: 0,
    source: '',
  }
}

/** About what a state takes in memory: its features, and about as much as an event and its scores take. */
export function waitingBytes(state: Waiting): number {
  return 1_500 + (state.features?.byteLength ?? 0)
}

export function encodeWaiting(state: Waiting, events: BodyCodec): Uint8Array {
  const writer = ByteWriter.borrow()
  writer.blob(state.event === null ? new Uint8Array(0) : events.encode(state.event))
  writer.float64(state.eventTimeMs)
  writer.float64s(state.features ?? new Float64Array(0))
  writeArms(writer, state.arms)
  writer.byte(VERDICTS.indexOf(state.decision))
  writer.varint(state.modelVersion)
  writer.byte(state.truth === null ? 0 : state.truth ? 2 : 1)
  writer.float64(state.labelTimeMs)
  writer.text(state.source)
  writer.varint(state.ruleHits.length)
  for (const name of state.ruleHits) writer.text(name)
  writeModels(writer, state.models)
  return writer.take()
}

export function decodeWaiting(bytes: Uint8Array, events: BodyCodec): Waiting {
  const reader = new ByteReader(bytes)
  const event = reader.blob()
  const eventTimeMs = reader.float64()
  const features = reader.float64s()
  const arms = readArms(reader)
  const decision = VERDICTS[reader.byte()]!
  const modelVersion = reader.varint()
  const truth = [null, false, true][reader.byte()]!
  return {
    event: event.length === 0 ? null : (events.decode(event) as Fields),
    eventTimeMs,
    features: features.length === 0 ? null : features,
    arms,
    decision,
    modelVersion,
    truth,
    labelTimeMs: reader.float64(),
    source: reader.text(),
    // State from before there were rules ends here.
    ruleHits: reader.done ? NO_NAMES : Array.from({ length: reader.varint() }, () => reader.text()),
    models: readModels(reader),
  }
}
