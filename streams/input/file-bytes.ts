import { createReadStream, type ReadStream } from 'node:fs'
import { createGunzip, type Gunzip } from 'node:zlib'
import { RheoError } from '../../schemas/errors.ts'

/** Compressed bytes taken at a time: gzip grows them a thousandfold at most, so that at most 16 MiB wait. */
const compressedChunkBytes = 16 * 1024
const plainChunkBytes = 64 * 1024

/**
 * A file's bytes in chunks, unpacked where it is gzip (told by its first two bytes). A gzip that ends too early gives
 * all that can be unpacked, and then throws INPUT_UNREADABLE, as does a file that cannot be read.
 */
export async function* readFileBytes(file: string): AsyncGenerator<Uint8Array> {
  const gzip = await isGzip(file)
  if (!gzip && file.endsWith('.gz')) {
    throw new RheoError('INPUT_UNREADABLE', `${file} is called .gz, but is not gzip`, {
      hint: 'Rename it without .gz, or fetch it again.',
    })
  }
  const bytes = createReadStream(file, { highWaterMark: gzip ? compressedChunkBytes : plainChunkBytes })
  try {
    if (gzip) yield* unpack(bytes, file)
    else for await (const chunk of bytes) yield chunk
  } catch (cause) {
    throw unreadable(file, cause)
  } finally {
    bytes.destroy()
  }
}

/**
 * Not `for await` over the gunzip stream: a stream that fails throws away what it had unpacked before.
 */
async function* unpack(bytes: ReadStream, file: string): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  const ready: Uint8Array[] = []
  let failure: Error | undefined
  gunzip.on('data', (chunk: Uint8Array) => ready.push(chunk))
  gunzip.on('error', (error) => {
    failure = error
  })
  try {
    for await (const chunk of bytes) {
      await written(gunzip, chunk)
      yield* ready.splice(0)
      if (failure !== undefined) break
    }
    if (failure === undefined) await ended(gunzip)
    yield* ready.splice(0)
    if (failure !== undefined) {
      throw new RheoError('INPUT_UNREADABLE', `${file} cannot be unpacked to its end: ${failure.message}`, {
        hint: 'The file is damaged or was cut off: fetch it again, and call the same command to go on.',
        cause: failure,
      })
    }
  } finally {
    gunzip.destroy()
  }
}

/** Resolves once the chunk is unpacked, or has failed: gunzip then calls back with the error. */
function written(gunzip: Gunzip, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    gunzip.write(chunk, () => resolve())
  })
}

function ended(gunzip: Gunzip): Promise<void> {
  return new Promise((resolve) => {
    gunzip.once('close', resolve)
    gunzip.end()
  })
}

async function isGzip(file: string): Promise<boolean> {
  const head = createReadStream(file, { start: 0, end: 1 })
  try {
    for await (const bytes of head) return bytes[0] === 0x1f && bytes[1] === 0x8b
    return false
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unreadable(file: string, cause: unknown): RheoError {
  if (cause instanceof RheoError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new RheoError('INPUT_UNREADABLE', `${file} cannot be read: ${reason}`, {
    hint: 'Check the path and the permissions of the input.',
    cause,
  })
}
