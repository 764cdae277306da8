import { crc32c } from '@node-rs/crc32'
import type { Headers } from './event-log.ts'
import { HEAD_BYTES, LENGTH_AT, MAGIC, TRANSACTIONAL } from './kafka-record-batch.ts'

type Bytes = Uint8Array | string

/** A record whose value is bytes, and whose time whole milliseconds: Kafka knows no others. */
export interface PlainRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Headers
  readonly timestampMs: number
}

/** A produce request, in kafkajs's words. */
export interface ProduceData {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId: string | null
  /** A number in digits. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence: number
      readonly messages: readonly PlainRecord[]
    }[]
  }[]
}

/** A request's body, in the shape of kafkajs's encoders. */
export interface Encoded {
  readonly buf: Buffer
  readonly buffer: Buffer
  size(): number
  /** The memory that it is a part of, with room in front for what kafkajs puts before it (`kafka-kafkajs-speed.ts`). */
  readonly roomy: Buffer
}

/** Length, header and client id of a request, each in front of what follows. */
const ROOM_BYTES = 512

/** Within a batch: behind the length; where the checksum stands; what it covers. */
const EPOCH_AT = 12
const CHECKSUM_AT = 17
const CHECKED_AT = 21

/**
 * The body of a Produce request (versions 3 to 7), into one buffer, with room in front. Same bytes as kafkajs's own encoder
 * writes, which takes a buffer for every record, batch, partition, topic and for the whole, each copied into the next:
 * most of what producing cost, and buffers outside the heap, which make V8 collect garbage all the time.
 *
 *   transactional_id acks timeout [topic [partition record_batch]]
 *   (https://kafka.apache.org/documentation/#recordbatch)
 */
export function encodeProduce({
  acks,
  timeout,
  transactionalId,
  producerId,
  producerEpoch,
  topicData,
}: ProduceData): Encoded {
  const batches = topicData.map(({ partitions }) => partitions.map(({ messages }) => measure(messages)))
  let sizeBytes = 2 + lengthOf(transactionalId, 0) + 2 + 4 + 4
  topicData.forEach(({ topic }, i) => {
    sizeBytes += 2 + Buffer.byteLength(topic) + 4
    for (const batch of batches[i]!) sizeBytes += 4 + 4 + HEAD_BYTES + batch.recordBytes
  })
  const roomy = Buffer.allocUnsafe(ROOM_BYTES + sizeBytes)
  const to = roomy.subarray(ROOM_BYTES)
  const id = BigInt(producerId)
  let at = to.writeInt16BE(transactionalId === null ? -1 : lengthOf(transactionalId), 0)
  if (transactionalId !== null) at += to.write(transactionalId, at)
  at = to.writeInt16BE(acks, at)
  at = to.writeInt32BE(timeout, at)
  at = to.writeInt32BE(topicData.length, at)
  topicData.forEach(({ topic, partitions }, i) => {
    at = to.writeInt16BE(Buffer.byteLength(topic), at)
    at += to.write(topic, at)
    at = to.writeInt32BE(partitions.length, at)
    partitions.forEach(({ partition, messages, firstSequence }, j) => {
      const batch = batches[i]![j]!
      at = to.writeInt32BE(partition, at)
      at = to.writeInt32BE(HEAD_BYTES + batch.recordBytes, at)
      const start = at
      at = to.writeBigInt64BE(0n, at)
      at = to.writeInt32BE(HEAD_BYTES + batch.recordBytes - EPOCH_AT, start + LENGTH_AT)
      at = to.writeInt32BE(0, at)
      at = to.writeInt8(MAGIC, at)
      at = to.writeInt16BE(transactionalId === null ? 0 : TRANSACTIONAL, start + CHECKED_AT)
      at = to.writeInt32BE(messages.length - 1, at)
      at = to.writeBigInt64BE(BigInt(batch.firstMs), at)
      at = to.writeBigInt64BE(BigInt(batch.lastMs), at)
      at = to.writeBigInt64BE(id, at)
      at = to.writeInt16BE(producerEpoch, at)
      at = to.writeInt32BE(firstSequence, at)
      at = to.writeInt32BE(messages.length, at)
      for (let k = 0; k < messages.length; k++) at = writeRecord(to, messages[k]!, k, batch, at)
      to.writeUInt32BE(crc32c(to.subarray(start + CHECKED_AT, at)), start + CHECKSUM_AT)
    })
  })
  return { buf: to, buffer: to, size: () => to.length, roomy }
}

interface Batch {
  readonly firstMs: number
  readonly lastMs: number
  /** Of every record, without its own length. */
  readonly sizes: readonly number[]
  readonly recordBytes: number
}

function measure(messages: readonly PlainRecord[]): Batch {
  const earliest = messages[0]?.timestampMs ?? 0
  let [firstMs, lastMs] = [earliest, earliest]
  for (const { timestampMs } of messages) {
    if (timestampMs < firstMs) firstMs = timestampMs
    if (timestampMs > lastMs) lastMs = timestampMs
  }
  const sizes: number[] = []
  let recordBytes = 0
  messages.forEach((message, i) => {
    const sizeBytes = recordSize(message, i, message.timestampMs - firstMs)
    sizes.push(sizeBytes)
    recordBytes += varintSize(sizeBytes) + sizeBytes
  })
  return { firstMs, lastMs, sizes, recordBytes }
}

function recordSize({ key, value, headers }: PlainRecord, index: number, sinceMs: number): number {
  let sizeBytes = 1 + varintSize(sinceMs) + varintSize(index) + fieldSize(key) + fieldSize(value)
  let count = 0
  for (const name in headers) {
    count++
    sizeBytes += fieldSize(name) + fieldSize(headers[name]!)
  }
  return sizeBytes + varintSize(count)
}

/** length, attributes = 0, timestamp delta, offset delta, key, value, [header name, value] */
function writeRecord(to: Buffer, record: PlainRecord, index: number, batch: Batch, start: number): number {
  const { headers } = record
  let at = writeVarint(to, batch.sizes[index]!, start)
  to[at++] = 0
  at = writeVarint(to, record.timestampMs - batch.firstMs, at)
  at = writeVarint(to, index, at)
  at = writeField(to, record.key, at)
  at = writeField(to, record.value, at)
  let count = 0
  for (const _ in headers) count++
  at = writeVarint(to, count, at)
  for (const name in headers) {
    at = writeField(to, name, at)
    at = writeField(to, headers[name]!, at)
  }
  return at
}

function lengthOf(bytes: Bytes | null, absent = -1): number {
  if (bytes === null) return absent
  return typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length
}

function fieldSize(bytes: Bytes | null): number {
  const length = lengthOf(bytes)
  return varintSize(length) + Math.max(0, length)
}

function writeField(to: Buffer, bytes: Bytes | null, at: number): number {
  const length = lengthOf(bytes)
  const from = writeVarint(to, length, at)
  if (typeof bytes === 'string') to.write(bytes, from)
  else if (bytes !== null) to.set(bytes, from)
  return from + Math.max(0, length)
}

/** Zigzag as float arithmetic: spans of time take more than 32 bits. */
function zigZag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1
}

function varintSize(value: number): number {
  const coded = zigZag(value)
  if (coded < 0x80) return 1
  if (coded < 0x4000) return 2
  if (coded < 0x200000) return 3
  if (coded < 0x10000000) return 4
  let sizeBytes = 5
  for (let rest = coded / 0x800000000; rest >= 1; rest /= 128) sizeBytes++
  return sizeBytes
}

function writeVarint(to: Buffer, value: number, at: number): number {
  let rest = zigZag(value)
  let next = at
  for (; rest >= 0x10000000; rest = Math.floor(rest / 128)) to[next++] = (rest % 128) | 0x80
  for (; rest > 0x7f; rest >>>= 7) to[next++] = (rest & 0x7f) | 0x80
  to[next] = rest
  return next + 1
}
