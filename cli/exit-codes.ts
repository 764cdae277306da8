import type { ErrorCode } from '../schemas/errors.ts'

/** What the process answers to the shell. Stable: scripts depend on it. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, input: 3, storage: 4 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** For `--help`. */
export const exitCodesHelp = `Exit codes:
  0  done
  1  failed: an error of Rheo's own, or a check that did not pass
  2  usage: the command line or the configuration is wrong
  3  input: a file, map, model or record cannot be read
  4  storage: the log, the state store or the registry is away, locked, full or damaged, refuses access, or lacks
     what was asked for`

/** The exit code for an operating failure. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case 'USAGE':
    case 'CONFIG_INVALID':
      return exitCodes.usage
    case 'INPUT_UNREADABLE':
    case 'MAP_INVALID':
    case 'MODEL_INVALID':
    case 'RECORD_TOO_LARGE':
      return exitCodes.input
    case 'FENCED':
    case 'AUTH_FAILED':
    case 'LOG_UNAVAILABLE':
    case 'STATE_UNAVAILABLE':
    case 'REGISTRY_UNAVAILABLE':
    case 'STORAGE_FULL':
    case 'STORAGE_CORRUPT':
    case 'TOPIC_MISSING':
    case 'TOPIC_MISMATCH':
    case 'OFFSET_OUT_OF_RANGE':
      return exitCodes.storage
    case 'SCHEMA_INCOMPATIBLE':
    case 'PROVIDER_UNAVAILABLE':
      return exitCodes.failed
  }
}
