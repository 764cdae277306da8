import type { Rejection } from '../schemas/rejection.ts'
import type { Headers, LogRecord, NewRecord } from './event-log/event-log.ts'

const prefix = 'rheo.dlq.'

/** Reasons quote what producers wrote: a bound keeps headers small whatever that was. */
const maxReasonLength = 500

/** Where a dead letter came from, and why it is one. */
export interface DeadLetterOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** The stage that refused it: `intake` for bytes that are no event. */
  readonly stage: string
  readonly code: string
  readonly reason: string
}

/**
 * A refused record as it goes to the dead-letter topic: key, value, timestamp and headers as they were, and beside
 * them `rheo.dlq.code`, `.reason`, `.topic`, `.partition`, `.offset` and `.stage`. A retried record that fails again
 * carries the newest reason only.
 */
export function toDeadLetter(
  record: LogRecord,
  topic: string,
  partition: number,
  rejection: Rejection,
  stage: string,
): NewRecord {
  return {
    key: record.key,
    value: record.value,
    timestampMs: record.timestampMs,
    headers: {
      ...record.headers,
      [`${prefix}code`]: rejection.code,
      [`${prefix}reason`]: rejection.reason.slice(0, maxReasonLength).toWellFormed(),
      [`${prefix}topic`]: topic,
      [`${prefix}partition`]: String(partition),
      [`${prefix}offset`]: String(record.offset),
      [`${prefix}stage`]: stage,
    },
  }
}

/**
 * The inverse: the record as its producer appended it, ready to be appended to its topic again, and where it came
 * from. undefined when the headers are not those of a dead letter.
 */
export function fromDeadLetter(letter: LogRecord): { origin: DeadLetterOrigin; record: NewRecord } | undefined {
  const origin = originOf(letter.headers)
  if (origin === undefined) return undefined
  const headers = Object.fromEntries(Object.entries(letter.headers).filter(([name]) => !name.startsWith(prefix)))
  return { origin, record: { key: letter.key, value: letter.value, timestampMs: letter.timestampMs, headers } }
}

function originOf(headers: Headers): DeadLetterOrigin | undefined {
  const topic = text(headers, 'topic')
  const partition = text(headers, 'partition')
  const offset = text(headers, 'offset')
  if (topic === undefined || !isNumber(partition) || !isNumber(offset)) return undefined
  return {
    topic,
    partition: Number(partition),
    offset: BigInt(offset),
    stage: text(headers, 'stage') ?? '',
    code: text(headers, 'code') ?? '',
    reason: text(headers, 'reason') ?? '',
  }
}

function isNumber(value: string | undefined): value is string {
  return value !== undefined && /^\d{1,18}$/.test(value)
}

/** Networked logs hand headers back as bytes. */
function text(headers: Headers, name: string): string | undefined {
  const value = headers[prefix + name]
  return value === undefined || typeof value === 'string' ? value : Buffer.from(value).toString('utf8')
}
