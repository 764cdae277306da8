import { ByteReader, ByteWriter } from '../processors/byte-buffer.ts'
import { type BodyCodec, type Entry, FEEDBACK, WATERMARK } from '../processors/step.ts'
import type { LazyBytes } from './event-log/event-log.ts'

/** The kinds that flow through a topology. */
export type BodyCodecs = ReadonlyMap<string, BodyCodec>

const VERSION = 1

/**
 * A block: all entries that one commit sends to one partition of a stage's topic, as one record. It becomes bytes
 * only where an adapter stores or sends it; within a process on the memory log the entries pass as they are.
 *
 * Bytes: version, count, then per entry kind, key, event time, watermark, channel + 1, body, features (0: none, else length + 1).
 */
export class Block implements LazyBytes {
  readonly entries: readonly Entry[]
  readonly #codecs: BodyCodecs

  constructor(entries: readonly Entry[], codecs: BodyCodecs) {
    this.entries = entries
    this.#codecs = codecs
  }

  bytes(): Uint8Array {
    const writer = new ByteWriter(64 + this.entries.length * 256)
    writer.byte(VERSION)
    writer.varint(this.entries.length)
    for (const entry of this.entries) {
      writer.text(entry.kind)
      writer.text(entry.key)
      writer.float64(entry.eventTimeMs)
      writer.float64(entry.watermarkMs)
      writer.varint(entry.channel === FEEDBACK ? 0 : entry.channel + 1)
      if (entry.kind !== WATERMARK) writer.blob(codecOf(this.#codecs, entry.kind).encode(entry.body))
      if (entry.features === null) writer.varint(0)
      else {
        writer.varint(1)
        writer.float64s(entry.features)
      }
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
  if (version !== VERSION) throw new Error(`block version ${version} was written by a newer Rheo; upgrade to read it`)
  const entries: Entry[] = []
  for (let left = reader.varint(); left > 0; left--) {
    const kind = reader.text()
    const key = reader.text()
    const eventTimeMs = reader.float64()
    const watermarkMs = reader.float64()
    const channel = reader.varint() - 1
    const body = kind === WATERMARK ? null : codecOf(codecs, kind).decode(reader.blob())
    const features = reader.varint() === 0 ? null : reader.float64s()
    entries.push({ kind, key, eventTimeMs, watermarkMs, channel, body, features })
  }
  return entries
}

function codecOf(codecs: BodyCodecs, kind: string): BodyCodec {
  const codec = codecs.get(kind)
  if (codec === undefined) throw new Error(`no body codec for entries of kind "${kind}"; the topology must declare it`)
  return codec
}
