import avro from 'avsc'
import { type AvroType, type EventSchema, fullName } from '../../schemas/event-schema.ts'
import type { RegisteredSchema } from '../../schemas/registered-schema.ts'
import { type Rejection, reject } from '../../schemas/rejection.ts'
import type { MaybePromise } from '../event-log/event-log.ts'
import { type AvroScan, compileAvroScan } from './avro-scan.ts'
import { compileAvroWrite } from './avro-write.ts'
import type { SchemaRegistry } from './schema-registry.ts'

/**
 * Events of one type to bytes and back, in the Confluent wire format:
 *
 *     0x00 · schema id (4 bytes, big-endian) · Avro binary
 */
export interface EventCodec<E> extends ValueCodec<E> {
  readonly schema: EventSchema<E>
}

/** What an output topic needs of a codec. */
export interface ValueCodec<E> {
  /** The event's bytes, written in the newest version. Pure: equal events give equal bytes. A few hundred ns. */
  encode(event: E): Uint8Array
  /**
   * The event, whatever version it was written in, seen through the newest one. Never throws: bytes that are no
   * such event give INVALID_AVRO or UNKNOWN_SCHEMA_ID.
   */
  decode(bytes: Uint8Array): E | Rejection
  /** Fetches the schema that `bytes` were written with where the registry is remote. Await it before `decode`. */
  prepare(bytes: Uint8Array): MaybePromise<void>
}

export const frameBytes = 5

/** How one writer's version is read: walked over first, then built. */
interface Reader<E> {
  readonly scan: AvroScan
  read(bytes: Buffer): E
}

export function createEventCodec<E extends object>(schema: EventSchema<E>, registry: SchemaRegistry): EventCodec<E> {
  const type = avroType(schema.avro)
  const write = compileAvroWrite(schema.avro)
  const id = registry.idOf(schema)
  const readers = new Map<number, Reader<E> | Rejection>([
    [id, { scan: compileAvroScan(schema.avro), read: (bytes) => type.decode(bytes, frameBytes).value }],
  ])
  let scratch = Buffer.alloc(4096)

  function readerOf(writer: RegisteredSchema | undefined, writerId: number): Reader<E> | Rejection {
    if (writer === undefined) return reject('UNKNOWN_SCHEMA_ID', `no schema has the id ${writerId}`)
    if (writer.fullName !== fullName(schema)) {
      return reject(
        'UNKNOWN_SCHEMA_ID',
        `id ${writerId} is a ${writer.fullName}, where a ${fullName(schema)} is expected`,
      )
    }
    try {
      const writerType = avroType(JSON.parse(writer.avro))
      const resolver = type.createResolver(writerType)
      return {
        scan: compileAvroScan(writerType.schema() as AvroType),
        read: (bytes) => type.decode(bytes, frameBytes, resolver).value,
      }
    } catch (cause) {
      return reject('UNKNOWN_SCHEMA_ID', `id ${writerId} cannot be read as ${fullName(schema)}: ${String(cause)}`)
    }
  }

  function findReader(writerId: number): Reader<E> | Rejection {
    const known = readers.get(writerId)
    if (known !== undefined) return known
    const writer = registry.schemaOf(writerId)
    if (writer instanceof Promise) return reject('UNKNOWN_SCHEMA_ID', `the schema with id ${writerId} was not fetched`)
    const reader = readerOf(writer, writerId)
    if (writer !== undefined) readers.set(writerId, reader) // ids that nobody has are not kept: there are 2^32
    return reader
  }

  return {
    schema,
    encode(event) {
      let end = write(event, scratch, frameBytes)
      if (end > scratch.length) {
        scratch = Buffer.alloc(2 * end)
        end = write(event, scratch, frameBytes)
      }
      scratch[0] = 0
      scratch.writeUInt32BE(id, 1)
      const bytes = Buffer.allocUnsafe(end)
      scratch.copy(bytes, 0, 0, end)
      return bytes
    },
    decode(bytes) {
      if (bytes.length < frameBytes || bytes[0] !== 0)
        return reject('INVALID_AVRO', 'the bytes have no schema id in front')
      const reader = findReader(schemaIdOf(bytes))
      if ('kind' in reader) return reader
      const end = reader.scan(bytes, frameBytes)
      if (end !== bytes.length) {
        const what = end < 0 ? 'are no value of it' : `go on after its end at ${end}`
        return reject('INVALID_AVRO', `the ${bytes.length} bytes ${what}: ${fullName(schema)}`)
      }
      try {
        return reader.read(asBuffer(bytes))
      } catch (cause) {
        return reject('INVALID_AVRO', `no ${fullName(schema)}: ${String(cause)}`)
      }
    },
    prepare(bytes) {
      if (bytes.length < frameBytes || bytes[0] !== 0) return
      const writerId = schemaIdOf(bytes)
      if (readers.has(writerId)) return
      const writer = registry.schemaOf(writerId)
      if (!(writer instanceof Promise)) return
      return writer.then((found) => {
        if (found !== undefined) readers.set(writerId, readerOf(found, writerId))
      })
    },
  }
}

function schemaIdOf(bytes: Uint8Array): number {
  return ((bytes[1]! << 24) | (bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!) >>> 0
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function avroType(schema: unknown): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, { omitRecordMethods: true, wrapUnions: 'never' })
}
