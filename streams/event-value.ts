import type { EventCodec } from './codec/event-codec.ts'
import type { Headers, LazyBytes, NewRecord } from './event-log/event-log.ts'

/** An output event that is made, and becomes bytes, only where somebody needs it. */
export class EventValue implements LazyBytes {
  readonly #make: () => object
  readonly #codec: EventCodec<object>

  constructor(make: () => object, codec: EventCodec<object>) {
    this.#make = make
    this.#codec = codec
  }

  get event(): object {
    return this.#make()
  }

  bytes(): Uint8Array {
    return this.#codec.encode(this.event)
  }
}

/** The event of an output record, decoded where it has been through an adapter that keeps bytes. */
export function eventOf<E extends object>(value: Uint8Array | LazyBytes | null, codec: EventCodec<E>): E {
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
}

/** A record of an output topic: CloudEvents 1.0 in binary mode. Its headers are made when an adapter asks for them. */
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
    }
  }
}
