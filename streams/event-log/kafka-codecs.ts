import { createRequire } from 'node:module'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import kafkajs, { CompressionTypes } from 'kafkajs'

// Node sees only some of the names that this package exports.
const { CompressionCodecs } = kafkajs

const require = createRequire(import.meta.url)

// Neither package has types that fit ES modules; these are the functions used.
const snappy = require('snappyjs') as {
  compress(bytes: Uint8Array): Uint8Array
  uncompress(bytes: Uint8Array): Uint8Array
}
const lz4 = require('lz4-napi') as {
  compressFrameSync(bytes: Buffer): Buffer
  decompressFrameSync(bytes: Buffer): Buffer
}

interface Codec {
  compress(bytes: Buffer): Uint8Array
  decompress(bytes: Buffer): Uint8Array
}

const CODECS: readonly (readonly [keyof typeof CompressionCodecs, Codec])[] = [
  [CompressionTypes.Snappy, { compress: compressXerial, decompress: decompressSnappy }],
  [CompressionTypes.LZ4, { compress: lz4.compressFrameSync, decompress: lz4.decompressFrameSync }],
  [
    CompressionTypes.ZSTD,
    { compress: (bytes) => zstdCompressSync(bytes), decompress: (bytes) => zstdDecompressSync(bytes) },
  ],
]

/**
 * Teaches kafkajs the compressions that it lacks, for batches of other producers as well as our own: zstd, lz4 (the LZ4
 * frame format, KIP-57) and snappy, which comes in two forms: raw (librdkafka), and framed as snappy-java writes it (all
 * Java clients). Both are read, framed is written. gzip is built in. Once is enough; more often does no harm.
 */
export function registerCodecs(): void {
  for (const [type, { compress, decompress }] of CODECS) {
    CompressionCodecs[type] = () => ({
      compress: async (encoder: { readonly buffer: Buffer }) => asBuffer(compress(encoder.buffer)),
      decompress: async (bytes: Buffer) => asBuffer(decompress(bytes)),
    })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** snappy-java's framing: this magic, version 1, compatible version 1, then blocks of (int32 length, raw snappy). */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const XERIAL_BLOCK_BYTES = 32 * 1024

function compressXerial(bytes: Buffer): Uint8Array {
  const parts: Uint8Array[] = [XERIAL_HEADER]
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappy.compress(bytes.subarray(at, at + XERIAL_BLOCK_BYTES))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.byteLength)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

function decompressSnappy(bytes: Buffer): Uint8Array {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappy.uncompress(bytes)
  const parts: Uint8Array[] = []
  for (let at = XERIAL_HEADER.length; at < bytes.length; ) {
    const lengthBytes = bytes.readInt32BE(at)
    at += 4
    parts.push(snappy.uncompress(bytes.subarray(at, at + lengthBytes)))
    at += lengthBytes
  }
  return Buffer.concat(parts)
}
