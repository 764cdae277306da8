/** The part of Avro 1.11 that Rheo's event schemas use. */
export type AvroType =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'bytes'
  | 'string'
  | readonly AvroType[]
  | { readonly type: 'long'; readonly logicalType: 'timestamp-millis' }
  | { readonly type: 'array'; readonly items: AvroType }
  | { readonly type: 'map'; readonly values: AvroType }
  | AvroEnum
  | AvroRecord

export interface AvroEnum {
  readonly type: 'enum'
  readonly name: string
  readonly symbols: readonly string[]
  readonly default?: string
  readonly doc?: string
}

export interface AvroField {
  readonly name: string
  readonly type: AvroType
  readonly doc?: string
  /** What a reader sees where the writer's version had no such field; JSON inputs may leave such fields out. */
  readonly default?: unknown
}

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly fields: readonly AvroField[]
}

/** What one event type looks like. `E` is its TypeScript type; it exists for the compiler only. */
export interface EventSchema<E = unknown> {
  /** The event type's short name: `payment`. */
  readonly name: string
  readonly avro: AvroRecord
  /** Never set: carries `E` through inference. */
  readonly event?: E
}

/** Namespace and name: what tells two scenarios' event types apart. */
export function fullName(schema: EventSchema): string {
  return schema.avro.namespace === undefined ? schema.avro.name : `${schema.avro.namespace}.${schema.avro.name}`
}
