import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'
import { type BodyCodec, type Entry, FEEDBACK, type Origin, PROGRESS, WATERMARK } from '../processors/step.ts'
import type { LazyBytes } from './event-log/event-log.ts'

/** The kinds that flow through a topology. */
export type BodyCodecs = ReadonlyMap<string, BodyCodec>

const VERSION = 3
/** One block is written at a time: the buffer grows to the largest, and each takes just its bytes out of it. */
const writer = new ByteWriter(65_536)

/**
 * A block: all entries that one commit sends to one partition of a stage's topic, as one record. It becomes bytes
 * only where an adapter stores or sends it; within a process on the memory log the entries pass as they are.
 *
 * Bytes: version, origins, kinds, count, then per entry the number of its kind, key, event time, 1 where watermark and
 * channel are those of the entry before (else 0, watermark, channel + 1), body, features (0: none, else length + 1), origin
 * (0: none, else its number + 1).
 */
export class Block implements LazyBytes {
  readonly entries: readonly Entry[]
  readonly #codecs: BodyCodecs

  constructor(entries: readonly Entry[], codecs: BodyCodecs) {
    this.entries = entries
    this.#codecs = codecs
  }

  bytes(): Uint8Array {
    writer.reset()
    writer.byte(VERSION)
    const origins = writeOrigins(this.entries)
    const kinds = [...new Set(this.entries.map(({ kind }) => kind))]
    writer.varint(kinds.length)
    for (const kind of kinds) writer.text(kind)
    writer.varint(this.entries.length)
    let watermarkMs = Number.NaN
    let channel = FEEDBACK
    for (const entry of this.entries) {
      writer.varint(kinds.indexOf(entry.kind))
      writer.text(entry.key)
      writer.float64(entry.eventTimeMs)
      if (Object.is(entry.watermarkMs, watermarkMs) && entry.channel === channel) writer.byte(1)
      else {
        watermarkMs = entry.watermarkMs
        channel = entry.channel
        writer.byte(0)
        writer.float64(watermarkMs)
        writer.varint(channel === FEEDBACK ? 0 : channel + 1)
      }
      if (!isBodiless(entry.kind)) writer.blob(codecOf(this.#codecs, entry.kind).encode(entry.body))
      if (entry.features === null) writer.varint(0)
      else {
        writer.varint(1)
        writer.float64s(entry.features)
      }
      writer.varint(entry.origin == null ? 0 : origins.get(entry.origin)! + 1)
    }
    return writer.take()
  }
}

/** The entries of a record on a stage's topic. */
export function unpack(value: Uint8Array | LazyBytes | null, codecs: BodyCodecs): readonly Entry[] {
  if (value instanceof Block) return value.entries
  if (value === null) return []
  const reader = new ByteReader(value instanceof Uint8Array ? value : value.bytes())
  const version = reader.byte()
  if (version !== VERSION) throw new Error(`block version ${version} was written by another version of Rheo`)
  const origins = readOrigins(reader)
  const kinds = Array.from({ length: reader.varint() }, () => reader.text())
  const decoders = kinds.map((kind) => (isBodiless(kind) ? null : codecOf(codecs, kind)))
  const entries: Entry[] = []
  let watermarkMs = Number.NaN
  let channel = FEEDBACK
  for (let left = reader.varint(); left > 0; left--) {
    const number = reader.varint()
    const kind = kinds[number]!
    const key = reader.text()
    const eventTimeMs = reader.float64()
    if (reader.byte() === 0) {
      watermarkMs = reader.float64()
      channel = reader.varint() - 1
    }
    const body = decoders[number]?.decode(reader.view()) ?? null
    const features = reader.varint() === 0 ? null : reader.float64s()
    const origin = origins[reader.varint() - 1] ?? null
    entries.push({ kind, key, eventTimeMs, watermarkMs, channel, body, features, origin })
  }
  return entries
}

function isBodiless(kind: string): boolean {
  return kind === WATERMARK || kind === PROGRESS
}

/** Each origin once: entries that came together share one. */
function writeOrigins(entries: readonly Entry[]): ReadonlyMap<Origin, number> {
  const origins = new Map<Origin, number>()
  let last: Origin | null | undefined = null
  for (const { origin } of entries) {
    if (origin === last) continue
    last = origin
    if (origin != null && !origins.has(origin)) origins.set(origin, origins.size)
  }
  writer.varint(origins.size)
  for (const { arrivedMs, traceparent, hops } of origins.keys()) {
    writer.float64(arrivedMs)
    writer.text(traceparent ?? '')
    writer.varint(hops.length)
    for (const { stage, takenMs } of hops) {
      writer.text(stage)
      writer.float64(takenMs)
    }
  }
  return origins
}

function readOrigins(reader: ByteReader): Origin[] {
  const origins: Origin[] = []
  for (let left = reader.varint(); left > 0; left--) {
    const arrivedMs = reader.float64()
    const traceparent = reader.text()
    const hops: { stage: string; takenMs: number }[] = []
    for (let more = reader.varint(); more > 0; more--) hops.push({ stage: reader.text(), takenMs: reader.float64() })
    origins.push({ arrivedMs, traceparent: traceparent === '' ? null : traceparent, hops })
  }
  return origins
}

function codecOf(codecs: BodyCodecs, kind: string): BodyCodec {
  const codec = codecs.get(kind)
  if (codec === undefined) throw new Error(`no body codec for entries of kind "${kind}"; the topology must declare it`)
  return codec
}
