import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { openOutputFile } from './output-file.ts'

const CHUNK_BYTES = 1_048_576

/** Decoded events, one JSON document a line, into a file: gzip where its name ends in `.gz`. NaN is written as null. */
export interface EventLines {
  write(event: object): void
  /** Ends the file; returns the SHA-256 of the lines (uncompressed). */
  close(): string
}

/** The same lines, hashed only. */
export function hashLines(): EventLines {
  const hash = createHash('sha256')
  return {
    write: (event) => void hash.update(`${JSON.stringify(event)}\n`),
    close: () => hash.digest('hex'),
  }
}

/** Throws what `openOutputFile` throws. */
export function openEventLines(file: string): EventLines {
  const output = openOutputFile(file)
  const hash = createHash('sha256')
  let pending = ''
  const flush = (): void => {
    if (pending === '') return
    const bytes = Buffer.from(pending)
    pending = ''
    hash.update(bytes)
    output.write(file.endsWith('.gz') ? gzipSync(bytes) : bytes)
  }
  return {
    write(event) {
      pending += `${JSON.stringify(event)}\n`
      if (pending.length >= CHUNK_BYTES) flush()
    },
    close() {
      flush()
      output.close()
      return hash.digest('hex')
    },
  }
}
