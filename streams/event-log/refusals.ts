import { RheoError } from '../../schemas/errors.ts'
import type { NewRecord, TopicSpec } from './event-log.ts'
import { headersSizeBytes } from './headers.ts'

/** What the embedded logs refuse, in the same words. */

export function missingTopic(topic: string, partition: number): RheoError {
  return new RheoError('TOPIC_MISSING', `The log has no topic ${topic} with a partition ${partition}.`, {
    hint: 'Check the name, or create the topic by starting the scenario that owns it.',
  })
}

export function fenced(group: string, task: string): RheoError {
  return new RheoError('FENCED', `Another process took over task ${task} of group ${group}.`, {
    hint: 'Nothing was changed; this process must stop working on the task.',
  })
}

/** What a process did for all tasks at once did not happen, or nobody knows. */
export function mustBeginAgain(group: string, cause: unknown): RheoError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new RheoError('LOG_UNAVAILABLE', `The tasks of group ${group} cannot go on together: ${why}`, {
    retryable: true,
    cause,
    hint: 'Each begins again from what is committed; another process may have taken some of them.',
  })
}

export function outOfRange(topic: string, partition: number, from: bigint, start: number, end: number): RheoError {
  return new RheoError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}/${partition} holds offsets ${start} to ${end} (exclusive); ${from} was asked for.`,
    {
      hint: 'The records were dropped by retention or truncation, or the log was replaced: start from the bounds of the partition, or rebuild the state.',
    },
  )
}

export function tooLarge(topic: string, sizeBytes: number, limitBytes: number): RheoError {
  return new RheoError(
    'RECORD_TOO_LARGE',
    `A record of ${sizeBytes} bytes is over the ${limitBytes} bytes of ${topic}.`,
    {
      hint: "Send smaller records, or raise the topic's maxRecordBytes.",
    },
  )
}

/** Key + value + headers; a record with a lazy value counts 0 bytes, because its size is not known. */
export function recordSizeBytes(record: Pick<NewRecord, 'key' | 'value' | 'headers'>): number {
  const { value } = record
  if (value !== null && !(value instanceof Uint8Array)) return 0
  const { key } = record
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0) + headersSizeBytes(record.headers)
}

/**
 * Throws TOPIC_MISMATCH when a wanted topic exists with another partition count or cleanup. Retention and record
 * size may change: the newest wish counts.
 */
export function checkTopics(wanted: readonly TopicSpec[], existing: (name: string) => TopicSpec | undefined): void {
  for (const spec of wanted) {
    const found = existing(spec.name)
    if (found === undefined || (found.partitions === spec.partitions && found.cleanup === spec.cleanup)) continue
    const hint =
      found.partitions === spec.partitions
        ? `Set its cleanup to ${spec.cleanup}, or make the topic anew.`
        : `Run with --partitions ${found.partitions} (RHEO_PARTITIONS), or make the topics anew with ${spec.partitions} each.`
    throw new RheoError(
      'TOPIC_MISMATCH',
      `${spec.name} exists with ${found.partitions} partitions, cleanup ${found.cleanup}; ${spec.partitions} partitions, cleanup ${spec.cleanup} were asked for.`,
      { hint },
    )
  }
}
