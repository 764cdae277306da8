/** Why an operating failure happened. Closed list: adapters translate vendor errors into one of these at their border. */
export type ErrorCode =
  | 'FENCED' // another process took this task over
  | 'LOG_UNAVAILABLE' // the event log does not answer, or its file is locked by another process
  | 'AUTH_FAILED' // a server refused the user, the password or the certificate
  | 'STATE_UNAVAILABLE' // the state store does not answer
  | 'REGISTRY_UNAVAILABLE' // the schema registry does not answer
  | 'STORAGE_FULL' // no space left where the log or the state lives
  | 'STORAGE_CORRUPT' // a file of the log or the state store cannot be read
  | 'RECORD_TOO_LARGE' // larger than the topic's maxRecordBytes
  | 'TOPIC_MISSING'
  | 'TOPIC_MISMATCH' // the topic exists with other partitions or settings
  | 'OFFSET_OUT_OF_RANGE' // retention or truncation removed what was asked for
  | 'SCHEMA_INCOMPATIBLE'
  | 'INPUT_UNREADABLE' // an input file cannot be opened, is truncated, or is not what its name says
  | 'MAP_INVALID' // a map names a column, field or unit that does not exist
  | 'CONFIG_INVALID'
  | 'MODEL_INVALID' // a model file, its manifest or its output is not usable
  | 'PROVIDER_UNAVAILABLE' // an inference provider (CUDA, WebGPU) cannot be used on this machine
  | 'USAGE' // the command line was called wrongly

/**
 * An operating failure with a closed code. Bad data is never thrown: it is a `Rejection` that ends in the dead-letter topic.
 * `hint` says what the reader can do next, as a full sentence.
 */
export class RheoError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly hint: string | undefined

  constructor(code: ErrorCode, text: string, more: { retryable?: boolean; hint?: string; cause?: unknown } = {}) {
    super(text, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'RheoError'
    this.code = code
    this.retryable = more.retryable ?? false
    this.hint = more.hint
  }
}
