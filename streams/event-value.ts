import type { Origin } from '../processors/step.ts'
import type { ValueCodec } from './codec/event-codec.ts'
import { NumberMap } from './codec/number-map.ts'
import type { Headers, LazyBytes, NewRecord } from './event-log/event-log.ts'
import { latencyPerStage } from './origin.ts'

/** An output event that is made, and becomes bytes, only where somebody needs it. */
export class EventValue implements LazyBytes {
  readonly #make: () => object
  readonly #codec: ValueCodec<object>

  constructor(make: () => object, codec: ValueCodec<object>) {
    this.#make = make
    this.#codec = codec
  }

  get event(): object {
    const event = this.#make() as Record<string, unknown>
    for (const name in event) {
      const value = event[name]
      if (value instanceof NumberMap) event[name] = value.toRecord()
    }
    return event
  }

  bytes(): Uint8Array {
    return this.#codec.encode(this.#make())
  }
}

/** The event of an output record, decoded where it has been through an adapter that keeps bytes. */
export function eventOf<E extends object>(value: Uint8Array | LazyBytes | null, codec: ValueCodec<E>): E {
  if (value instanceof EventValue) return value.event as E
  if (value === null) throw new Error('an output topic holds no tombstones')
  const decoded = codec.decode(value instanceof Uint8Array ? value : value.bytes())
  if ('kind' in decoded && decoded.kind === 'rejected') throw new Error(`unreadable output event: ${decoded.reason}`)
  return decoded as E
}

export interface OutputHeaders {
  readonly scenario: string
  /** CloudEvents type, e.g. `rheo.fraud.score`. */
  readonly type: string
  /** null in replays: there is no processing time to speak of. */
  readonly origin: Origin | null
}

/**
 * A record of an output topic: CloudEvents 1.0 in binary mode. Its headers are made when an adapter asks for them. Live,
 * they also hold what belongs to processing time, so that the payload stays a pure function of the log: `traceparent` of
 * the source record, `rheo_arrived` and `rheo_emitted` (ISO 8601), `rheo_latency_ms` per stage.
 */
export function outputRecord(
  value: EventValue,
  key: string,
  eventTimeMs: number,
  timestampMs: number,
  about: OutputHeaders,
): NewRecord {
  return new OutputRecord(value, key, eventTimeMs, timestampMs, about)
}

class OutputRecord implements NewRecord {
  readonly value: EventValue
  readonly timestampMs: number
  readonly #id: string
  readonly #eventTimeMs: number
  readonly #about: OutputHeaders

  constructor(value: EventValue, id: string, eventTimeMs: number, timestampMs: number, about: OutputHeaders) {
    this.value = value
    this.timestampMs = timestampMs
    this.#id = id
    this.#eventTimeMs = eventTimeMs
    this.#about = about
  }

  get key(): Uint8Array {
    return Buffer.from(this.#id)
  }

  get headers(): Headers {
    return {
      ce_specversion: '1.0',
      ce_id: this.#id,
      ce_source: `/rheo/${this.#about.scenario}`,
      ce_type: this.#about.type,
      ce_time: new Date(this.#eventTimeMs).toISOString(),
      'content-type': 'application/vnd.confluent.avro',
      ...processingFacts(this.#about.origin, this.timestampMs),
    }
  }
}

function processingFacts(origin: Origin | null, emittedMs: number): Headers {
  if (origin === null) return {}
  const facts = {
    rheo_arrived: new Date(origin.arrivedMs).toISOString(),
    rheo_emitted: new Date(emittedMs).toISOString(),
    rheo_latency_ms: latencyPerStage(origin),
  }
  return origin.traceparent === null ? facts : { ...facts, traceparent: origin.traceparent }
}
