/**
 * One version of one event type's schema, with the id that stands for it in front of every encoded event. Ids are
 * given once, in the order of registration, and never reused: `schemas/registered.json` only grows, so that a log
 * written by an older Rheo stays readable.
 */
export interface RegisteredSchema {
  /** 1 …: what the Confluent frame carries. */
  readonly id: number
  /** Namespace and name of the event type, e.g. `rheo.fraud.Payment`. */
  readonly fullName: string
  /** The schema as Avro JSON text, without docs. */
  readonly avro: string
}
