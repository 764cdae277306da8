import { ByteReader, ByteWriter } from './byte-buffer.ts'
import type { BodyCodec, Entry } from './step.ts'

/** The kind of a model record on the inference stage's topic. */
export const MODEL_RECORD = '$modelRecord'

/** Says that a version of a model is to score, or that a model is to score no more. */
export interface ModelRecord {
  readonly name: string
  readonly version: string
  /** SHA-256 of the model file, hex: the name of its bytes. */
  readonly sha256: string
  readonly action: 'serve' | 'withdraw'
  /** Event time (ms) from which on it scores; by default where its training data ends. */
  readonly eventTime: number
  /** The manifest, JSON. */
  readonly manifest: string
}

/** The kind of an event with what models said about it, on the scoring stage's topic. */
export const INFERRED = '$inferred'

/** What one version of a model said about one event. */
export interface Inference {
  readonly name: string
  readonly version: string
  /** Of label 1, as the model gave it. */
  readonly probability: number
}

/** The body of an INFERRED entry. Its features are complete: those of the event alone and the derived ones, too. */
export interface Inferred {
  readonly event: object
  readonly models: readonly Inference[]
  /** True when a model that should have scored did not, or another version answered for it. */
  readonly degraded: boolean
}

export function inferredCodec(events: BodyCodec): BodyCodec {
  return {
    encode(body) {
      const { event, models, degraded } = body as Inferred
      const writer = ByteWriter.borrow()
      writer.blob(events.encode(event))
      writer.byte(degraded ? 1 : 0)
      writer.varint(models.length)
      for (const { name, version, probability } of models) {
        writer.text(name)
        writer.text(version)
        writer.float64(probability)
      }
      return writer.take()
    },
    decode(bytes): Inferred {
      const reader = new ByteReader(bytes)
      const event = events.decode(reader.blob()) as object
      const degraded = reader.byte() === 1
      const models = Array.from({ length: reader.varint() }, () => ({
        name: reader.text(),
        version: reader.text(),
        probability: reader.float64(),
      }))
      return { event, models, degraded }
    },
  }
}

/** Events to score, and with which versions: what the inference step asks of the run loop before it folds a batch. */
export interface Question {
  /** The versions that score, oldest first; of a name the last one does, and those before it are what to fall back on. */
  readonly scoring: readonly ModelRecord[]
  /** float64 [features of the scenario] each, NaN = missing. */
  readonly rows: readonly Float64Array[]
}

/** What models said about all rows of a question. */
export interface Answer {
  readonly models: readonly ModelColumn[]
  readonly degraded: boolean
}

/** One model's answers. */
export interface ModelColumn {
  readonly name: string
  readonly version: string
  /** [rows]: probabilities of label 1. */
  readonly probabilities: ArrayLike<number>
}

/**
 * The part of a step that needs models. The run loop passes questions to whoever runs models, and the answers back, only where
 * emissions count; recovery folds without them. So an answer may go into emissions, never into state: it becomes an entry
 * of another topic first.
 */
export interface Inquiry {
  /** Before a batch is folded, all of it at once. */
  questions(entries: readonly Entry[]): readonly Question[]
  /** One answer per question, in order. */
  take(answers: readonly Answer[]): void
}
