import type { EventSchema } from './event-schema.ts'
import { labelSchema } from './generated/fraud/label.ts'
import { outcomeSchema } from './generated/fraud/outcome.ts'
import { paymentSchema } from './generated/fraud/payment.ts'
import { scoreSchema } from './generated/fraud/score.ts'
import { modelRecordSchema } from './generated/models/model-record.ts'

/** A topic that users see: what flows on it, how long it stays, and who may append to it. */
export interface CatalogueTopic {
  /** Full name in the log, `rheo.<scenario>.<short>.v<n>`. */
  readonly name: string
  readonly scenario: string
  /** What commands and declarations call it: `payments`. */
  readonly short: string
  readonly schema: EventSchema
  /** The field of the event that is the record's key. */
  readonly keyField: string
  readonly cleanup: 'delete' | 'compact'
  /** null keeps everything. */
  readonly retentionMs: number | null
  /** Partitions where the user does not say. */
  readonly partitions: number
  /** Larger records go to the dead-letter topic (inputs) or are refused (outputs). */
  readonly maxRecordBytes: number
  /** 'user': anyone may append; 'rheo': only Rheo does. */
  readonly producedBy: 'user' | 'rheo'
}

const dayMs = 86_400_000

/** What Kafka brokers accept by default (message.max.bytes), less room for the key and the headers. */
const maxRecordBytes = 1_000_000

/** Keeps everything: the log is the truth that state and models are rebuilt from. */
const keepEverything = { cleanup: 'delete', retentionMs: null } as const

/** The catalogue. */
export const topics: readonly CatalogueTopic[] = [
  inputTopic('fraud', 'payments', paymentSchema, 'customerId'),
  inputTopic('fraud', 'labels', labelSchema, 'paymentId'),
  outputTopic('fraud', 'scores', scoreSchema, 'paymentId'),
  outputTopic('fraud', 'outcomes', outcomeSchema, 'paymentId'),
  modelTopic('fraud'),
]

/** How long dead letters and late records stay: long enough to notice, mend and retry. */
export const sideTopicRetentionMs = 30 * dayMs

/** `rheo.<scenario>.<short>.v1`. */
export function topicName(scenario: string, short: string): string {
  return `rheo.${scenario}.${short}.v1`
}

/** Where records of `name` go that cannot be processed, with their original bytes. */
export function dlqTopic(name: string): string {
  return `${name}.dlq`
}

/** Where records of `name` go that came after the grace period. */
export function lateTopic(name: string): string {
  return `${name}.late`
}

/** Where a scenario's model records stand; `rheo model add` appends them. */
export function modelTopic(scenario: string): CatalogueTopic {
  return outputTopic(scenario, 'models', modelRecordSchema, 'name')
}

/** The catalogue's topic of a scenario by its short name; undefined when there is none. */
export function catalogueTopic(scenario: string, short: string): CatalogueTopic | undefined {
  return topics.find((topic) => topic.scenario === scenario && topic.short === short)
}

/** A topic that users append to, for a scenario of one's own. */
export function inputTopic(scenario: string, short: string, schema: EventSchema, keyField: string): CatalogueTopic {
  return { ...placed(scenario, short, schema, keyField), producedBy: 'user' }
}

/** A topic that Rheo alone appends to. */
export function outputTopic(scenario: string, short: string, schema: EventSchema, keyField: string): CatalogueTopic {
  return { ...placed(scenario, short, schema, keyField), producedBy: 'rheo' }
}

function placed(scenario: string, short: string, schema: EventSchema, keyField: string) {
  const name = topicName(scenario, short)
  return { name, scenario, short, schema, keyField, ...keepEverything, partitions: 4, maxRecordBytes }
}
