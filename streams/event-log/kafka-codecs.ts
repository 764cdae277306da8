import { createRequire } from 'node:module'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { RheoError } from '../../schemas/errors.ts'

const require = createRequire(import.meta.url)

// Neither package has types that fit ES modules; these are the functions used.
const snappy = require('snappyjs') as { uncompress(bytes: Uint8Array): Uint8Array }
const lz4 = require('lz4-napi') as { decompressFrameSync(bytes: Buffer): Buffer }

/** By the number that a batch's attributes have for it. */
const CODECS: Readonly<Record<number, (bytes: Buffer) => Uint8Array>> = {
  1: gunzipSync,
  2: decompressSnappy,
  3: (bytes) => lz4.decompressFrameSync(bytes),
  4: zstdDecompressSync,
}

/**
 * The records of a compressed batch, as other producers write them: gzip, zstd, lz4 (the LZ4 frame format, KIP-57), and
 * snappy in its two forms: raw (librdkafka), and framed as snappy-java writes it (all Java clients).
 */
export function decompress(kind: number, bytes: Buffer): Buffer {
  const codec = CODECS[kind]
  if (codec === undefined) {
    throw new RheoError('STORAGE_CORRUPT', `A batch of records in Kafka has compression ${kind}, which is not known.`, {
      hint: 'Let its producer write gzip, snappy, lz4 or zstd.',
    })
  }
  const plain = codec(bytes)
  return Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)
}

/** snappy-java's framing: this magic, version 1, compatible version 1, then blocks of (int32 length, raw snappy). */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEAD_BYTES = 16

function decompressSnappy(bytes: Buffer): Uint8Array {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappy.uncompress(bytes)
  const parts: Uint8Array[] = []
  for (let at = XERIAL_HEAD_BYTES; at < bytes.length; ) {
    const lengthBytes = bytes.readInt32BE(at)
    at += 4
    parts.push(snappy.uncompress(bytes.subarray(at, at + lengthBytes)))
    at += lengthBytes
  }
  return Buffer.concat(parts)
}
