import type { EventSchema } from '../../schemas/event-schema.ts'
import type { Headers } from '../event-log/event-log.ts'

/**
 * CloudEvents 1.0 in binary mode (Kafka protocol binding 1.0.2): attributes are headers with the prefix `ce_`, the
 * value stays the bare Avro. Makes the headers of one output topic's records.
 *
 * @param topic full topic name; with a leading slash it is the source
 */
export function createCloudEventHeaders(topic: string, schema: EventSchema): CloudEventHeaders {
  const constant = {
    ce_specversion: '1.0',
    ce_type: `${schema.avro.namespace ?? 'rheo'}.${schema.name}`,
    ce_source: `/${topic}`,
    'content-type': 'application/avro',
  }
  return (id, eventTimeMs, key) => ({
    ...constant,
    ce_id: id,
    ce_time: new Date(eventTimeMs).toISOString(),
    ce_partitionkey: key,
  })
}

/**
 * @param id unique within the topic: consumers take source + id for the event's identity
 * @param eventTimeMs event time, ms since 1970
 * @param key the record's key
 */
export type CloudEventHeaders = (id: string, eventTimeMs: number, key: string) => Headers
