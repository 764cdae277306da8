import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { RheoError } from '../schemas/errors.ts'

/** Longer lines are cut into a RECORD_TOO_LARGE failure rather than held in memory. */
const MAX_LINE_BYTES = 64 * 1_048_576
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * The lines of a file (gzip where its name ends in .gz), or of stdin for null, as their bytes without the line end;
 * empty lines are left out. Throws INPUT_UNREADABLE when the source cannot be read to its end.
 */
export async function* createLines(file: string | null): AsyncGenerator<Uint8Array> {
  try {
    yield* splitLines(openSource(file))
  } catch (cause) {
    if (cause instanceof RheoError) throw cause
    throw new RheoError('INPUT_UNREADABLE', `${file ?? 'stdin'} cannot be read to its end`, {
      cause,
      hint: 'What came before was appended. Mend the file, then produce the rest.',
    })
  }
}

function openSource(file: string | null): Readable {
  if (file === null) return process.stdin
  const source = createReadStream(file)
  if (!file.endsWith('.gz')) return source
  const gunzip = createGunzip()
  source.on('error', (error) => gunzip.destroy(error))
  return source.pipe(gunzip)
}

async function* splitLines(source: Readable): AsyncGenerator<Uint8Array> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const piece of source) {
    const chunk = piece as Buffer
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = trimReturn(Buffer.concat([...rest, chunk.subarray(start, end)]))
      rest = []
      restBytes = 0
      start = end + 1
      if (line.length > 0) yield line
    }
    if (start === chunk.length) continue
    rest.push(chunk.subarray(start))
    restBytes += chunk.length - start
    if (restBytes > MAX_LINE_BYTES)
      throw new RheoError('RECORD_TOO_LARGE', `a line is longer than ${MAX_LINE_BYTES} bytes`)
  }
  const last = trimReturn(Buffer.concat(rest))
  if (last.length > 0) yield last
}

function trimReturn(line: Buffer): Buffer {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line
}
