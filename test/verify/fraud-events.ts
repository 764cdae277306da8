import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import avro from 'avsc'
import type { ReadRecord } from './log-reader.ts'

/** What the verifier needs of a payment. */
export interface Payment {
  readonly paymentId: string
  readonly eventTime: number
  readonly customerId: string
  readonly terminalId: string
  readonly deviceId: string | null
  readonly amount: number
  readonly declined: boolean
}

/** What the verifier needs of a label. */
export interface Label {
  readonly paymentId: string
  readonly eventTime: number
}

export interface Score {
  readonly paymentId: string
  readonly eventTime: number
  readonly features: Readonly<Record<string, number>>
}

/** Magic byte and schema id in front of every value. */
const FRAME_BYTES = 5
const folder = join(import.meta.dirname, '../../schemas/fraud')
const typeOf = (name: string): avro.Type =>
  avro.Type.forSchema(JSON.parse(readFileSync(join(folder, `${name}.avsc`), 'utf8')) as avro.Schema, {
    wrapUnions: 'never',
  })
const paymentType = typeOf('payment')
const labelType = typeOf('label')
const scoreType = typeOf('score')

/** The payment, from framed Avro or plain JSON; null when the bytes are none. */
export function readPayment({ value }: ReadRecord): Payment | null {
  if (value === null || value.length === 0) return null
  try {
    if (value[0] === 0) return paymentType.decode(value, FRAME_BYTES).value as Payment
    const row = JSON.parse(value.toString()) as Partial<Payment>
    if (typeof row.paymentId !== 'string' || typeof row.customerId !== 'string') return null
    return { deviceId: null, declined: false, ...row } as Payment
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/** The label, from framed Avro or plain JSON; null when the bytes are none. */
export function readLabel({ value }: ReadRecord): Label | null {
  if (value === null || value.length === 0) return null
  try {
    if (value[0] === 0) return labelType.decode(value, FRAME_BYTES).value as Label
    const { paymentId, eventTime } = JSON.parse(value.toString()) as Partial<Label>
    return typeof paymentId === 'string' && typeof eventTime === 'number' ? { paymentId, eventTime } : null
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/** A score. Throws when the bytes are none: only Rheo appends to that topic. */
export function readScore({ value }: ReadRecord): Score {
  return scoreType.decode(value!, FRAME_BYTES).value as Score
}

/** A score's bytes again with other features, for tests that falsify one. */
export function withFeatures(record: ReadRecord, change: (features: Record<string, number>) => void): ReadRecord {
  const score = scoreType.decode(record.value!, FRAME_BYTES).value as Score & { features: Record<string, number> }
  const features = { ...score.features }
  change(features)
  const bytes = Buffer.concat([record.value!.subarray(0, FRAME_BYTES), scoreType.toBuffer({ ...score, features })])
  return { ...record, value: bytes }
}
