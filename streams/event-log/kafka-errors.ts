import { createRequire } from 'node:module'
import { RheoError } from '../../schemas/errors.ts'

const require = createRequire(import.meta.url)
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error }

/** What a broker answered with an error code, by its name in the protocol. */
export function kafkaRefusal(code: number): Error {
  return createErrorFromCode(code)
}

/** The broker's or the client's name for the failure: the innermost one that has a type. */
export function kafkaTypeOf(error: unknown): string | undefined {
  for (const cause of causes(error)) if (typeof cause.type === 'string') return cause.type
  return undefined
}

/** Whether the same request may succeed later: a broker is away or moving, not: it refused. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RheoError) return error.retryable
  if (authFailure(error) !== undefined) return false
  return causes(error).some(
    ({ name, type, code, message, retriable }) =>
      TRANSIENT_NAMES.has(name ?? '') ||
      message === NO_KAFKA ||
      code === 'PLT_KFK_NETWORK' ||
      TRANSIENT_TYPES.has(type ?? '') ||
      (retriable === true && name === 'KafkaJSProtocolError'),
  )
}

/** Any failure of Kafka or one of its clients as one of ours; a programmer's mistake stays what it is. `what` begins the text. */
export function kafkaError(error: unknown, what: string): unknown {
  if (error instanceof RheoError) return error
  const type = kafkaTypeOf(error)
  const said = error instanceof Error ? error.message : String(error)
  const text = said === NO_KAFKA ? 'no Kafka answers there; another program may listen' : said
  const of = (code: RheoError['code'], hint: string, retryable = false) =>
    new RheoError(code, `${what}: ${text}`, { cause: error, hint, retryable })
  const auth = authFailure(error)
  if (auth !== undefined) return of('AUTH_FAILED', auth)
  if (isFencing(error)) {
    return of('FENCED', 'Another process took the task over, or the transaction timed out; nothing of it was changed.')
  }
  if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') {
    return of('RECORD_TOO_LARGE', "Send smaller records, or raise the topic's max.message.bytes.")
  }
  // Not every broker of a cluster has heard of a topic that was just created, so it may be there a moment later.
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return of('TOPIC_MISSING', 'Create the topic, or check its name.', true)
  if (type !== undefined && CONFIG_TYPES.has(type)) {
    return of('CONFIG_INVALID', 'The broker refuses these settings of the topic; its own log says why.')
  }
  if (isTransient(error)) {
    return of('LOG_UNAVAILABLE', `Start Kafka, or check the address of its brokers${orTls(text)}.`, true)
  }
  return error
}

/** kafkajs's words where who was connected to does not say which requests it knows: no broker, or one that hangs. */
const NO_KAFKA = 'Broker not connected'

/** A connection that was cut before anything was said may be TLS on one side only. */
function orTls(text: string): string {
  if (/before secure TLS connection/.test(text)) return '; if they expect no TLS, leave kafkaTls and kafkaCa out'
  return /closed connection|ECONNRESET/i.test(text) ? '; if they expect TLS, set kafkaTls or kafkaCa' : ''
}

/** Another producer has the same transactional id, or the brokers ended a transaction that took too long. */
export function isFencing(error: unknown): boolean {
  return FENCING_TYPES.has(kafkaTypeOf(error) ?? '')
}

const TRANSIENT_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSNoBrokerAvailableError',
])
/** Transient, though the protocol's table does not call them retriable. */
const TRANSIENT_TYPES = new Set(['BROKER_NOT_AVAILABLE', 'STALE_CONTROLLER_EPOCH', 'OPERATION_NOT_ATTEMPTED'])
const FENCING_TYPES = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'TRANSACTION_COORDINATOR_FENCED',
])
const CONFIG_TYPES = new Set([
  'INVALID_CONFIG',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_TRANSACTION_TIMEOUT',
])

/** Codes of Node's TLS for a certificate that is not accepted. */
const CERTIFICATE = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ALTNAME|CERT_|CERTIFICATE|ERR_SSL|ERR_OSSL|EPROTO/
const NO_MECHANISM = /SASL .* mechanism is not supported|Cannot find a suitable SASL mechanism/
const AUTHORIZATION = /_AUTHORIZATION_FAILED$/

function authFailure(error: unknown): string | undefined {
  for (const { name, type, code, message } of causes(error)) {
    if (type === 'UNSUPPORTED_SASL_MECHANISM' || NO_MECHANISM.test(message ?? '')) {
      return 'The broker does not offer this SASL mechanism: take SCRAM-SHA-512 or SCRAM-SHA-256.'
    }
    if (
      name === 'KafkaJSSASLAuthenticationError' ||
      type === 'SASL_AUTHENTICATION_FAILED' ||
      code === 'PLT_KFK_AUTHENTICATION'
    ) {
      return 'Check the user name, the password and the SASL mechanism.'
    }
    if (type !== undefined && AUTHORIZATION.test(type)) {
      return 'The user lacks an ACL for this operation: docs/kafka.md has the table of those that Rheo needs.'
    }
    if (typeof code === 'string' && CERTIFICATE.test(code)) {
      return "Give the CA that signed the broker's certificate (ca), and for mutual TLS our own certificate and key."
    }
  }
  return undefined
}

interface Cause {
  readonly name?: string
  readonly type?: string
  readonly code?: unknown
  readonly message?: string
  readonly retriable?: boolean
  readonly cause?: unknown
  /** Of a request for several topics: each one's. */
  readonly errors?: readonly Cause[]
}

const DEEPEST_CAUSE = 8

/** The error and what caused it, outermost first. */
function causes(error: unknown): Cause[] {
  const found: Cause[] = []
  let cause: unknown = error
  while (typeof cause === 'object' && cause !== null && found.length < DEEPEST_CAUSE) {
    found.push(cause as Cause)
    const { cause: inner, errors } = cause as Cause
    cause = inner ?? errors?.find(({ type }) => type !== 'TOPIC_ALREADY_EXISTS')
  }
  return found
}
