import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

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

export function openEventLines(file: string): EventLines {
  const handle = openSync(file, 'w')
  const hash = createHash('sha256')
  let pending = ''
  const flush = (): void => {
    if (pending === '') return
    const bytes = Buffer.from(pending)
    pending = ''
    hash.update(bytes)
    writeSync(handle, file.endsWith('.gz') ? gzipSync(bytes) : bytes)
  }
  return {
    write(event) {
      pending += `${JSON.stringify(event)}\n`
      if (pending.length >= CHUNK_BYTES) flush()
    },
    close() {
      flush()
      closeSync(handle)
      return hash.digest('hex')
    },
  }
}
