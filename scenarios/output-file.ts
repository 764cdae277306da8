import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { RheoError } from '../schemas/errors.ts'

/** A file that a command was told to write. */
export interface OutputFile {
  write(bytes: Uint8Array): void
  close(): void
}

/**
 * Opens a file anew, and makes its folder where that is missing. Throws USAGE where that cannot be: the path is a folder, say,
 * or permission is missing; STORAGE_FULL, in `write` too, where no space is left.
 */
export function openOutputFile(file: string): OutputFile {
  const attempt = <T>(act: () => T): T => {
    try {
      return act()
    } catch (cause) {
      throw outputFailure(file, cause as NodeJS.ErrnoException)
    }
  }
  const handle = attempt(() => {
    mkdirSync(dirname(file), { recursive: true })
    return openSync(file, 'w')
  })
  return {
    write: (bytes) =>
      attempt(() => {
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at)
      }),
    close: () => closeSync(handle),
  }
}

/** Makes the folder of log and state, or throws LOG_UNAVAILABLE. */
export function makeFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (cause) {
    throw new RheoError('LOG_UNAVAILABLE', `the folder ${directory} cannot be made`, {
      cause,
      hint: 'Choose another with --state, or mend its permissions.',
    })
  }
}

function outputFailure(file: string, cause: NodeJS.ErrnoException): RheoError {
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT') {
    return new RheoError('STORAGE_FULL', `no space is left for ${file}`, {
      cause,
      hint: 'Free some, or write elsewhere.',
    })
  }
  if (cause.code === 'EISDIR') {
    return new RheoError('USAGE', `${file} is a folder`, { cause, hint: 'Give the name of a file in it.' })
  }
  return new RheoError('USAGE', `${file} cannot be written`, {
    cause,
    hint: 'Give another path, or mend its permissions.',
  })
}
