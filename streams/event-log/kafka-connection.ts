import { readFileSync } from 'node:fs'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { RheoError } from '../../schemas/errors.ts'
import { speedUpKafkajs } from './kafka-kafkajs-speed.ts'
import type { KafkaLink } from './kafka-link.ts'
import { kafkajsLink } from './kafka-link-kafkajs.ts'
import { platformaticLink } from './kafka-link-platformatic.ts'

/** How to reach a Kafka cluster, and as whom. */
export interface KafkaConnection {
  /** `host:port` of some brokers; the others are found from them. */
  readonly brokers: readonly string[]
  /** Names this program in the brokers' logs and quotas. Default `rheo`. */
  readonly clientId?: string
  /** Default 'none': plain text over the network, for loopback and closed networks. */
  readonly tls?: KafkaTls | 'none'
  readonly sasl?: KafkaSasl | 'none'
  /** Default 5,000. */
  readonly connectTimeoutMs?: number
  /** Default 30,000. */
  readonly requestTimeoutMs?: number
  /**
   * Over whose connections records are sent, fetched and committed. Default kafkajs; platformatic needs the optional package
   * @platformatic/kafka. Topics and groups are kafkajs's affair in any case.
   */
  readonly client?: KafkaClientName
}

export type KafkaClientName = 'kafkajs' | 'platformatic'

const DEFAULT_CLIENT_ID = 'rheo'
const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 30_000

/** PEM text, or the path of a PEM file. */
export interface KafkaTls {
  /** The authority that signed the brokers' certificates. Default: those that Node trusts. */
  readonly ca?: string
  /** Our own certificate and key, for mutual TLS: both or neither. */
  readonly cert?: string
  readonly key?: string
}

export interface KafkaSasl {
  /** 'plain' sends the password as it is, so it is refused without TLS. */
  readonly mechanism: 'scram-sha-512' | 'scram-sha-256' | 'plain'
  readonly username: string
  readonly password: string
}

/**
 * A kafkajs client for the connection. Nothing is sent yet. Throws CONFIG_INVALID with what to do.
 * kafkajs itself logs nothing: what it would log is retried, or arrives as an error with its cause.
 */
export function kafkaClient(connection: KafkaConnection): Kafka {
  const { brokers, clientId = DEFAULT_CLIENT_ID, tls = 'none', sasl = 'none' } = connection
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = connection
  if (brokers.length === 0 || brokers.some((broker) => !/^\S+:\d+$/.test(broker))) {
    throw invalid(`"${brokers.join(',')}" names no Kafka brokers`, 'Write them as host:port, separated by commas.')
  }
  if (sasl !== 'none' && sasl.mechanism === 'plain' && tls === 'none') {
    throw invalid(
      'SASL PLAIN without TLS would send the password in clear text',
      'Switch TLS on, or use SCRAM-SHA-512, which never sends the password.',
    )
  }
  if (sasl !== 'none' && (sasl.username === '' || sasl.password === '')) {
    throw invalid('SASL needs a user name and a password', 'Set both, or switch SASL off.')
  }
  speedUpKafkajs()
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1'
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // About 4 s in all. kafkajs's own first pause of 300 ms costs throughput where a broker asks for a moment's patience.
    retry: { initialRetryTime: 20, maxRetryTime: 500, retries: 11 },
    logLevel: logLevel.NOTHING,
    ...(tls === 'none' ? {} : { ssl: tlsOptions(tls) }),
    ...(sasl === 'none' ? {} : { sasl: { ...sasl } as SASLOptions }),
  })
}

/** Opens connections of the client that is chosen; `kafka` is the connection's own. */
export function linksOf(connection: KafkaConnection, kafka: Kafka): () => KafkaLink {
  const { clientId = DEFAULT_CLIENT_ID, tls = 'none', sasl = 'none', client = 'kafkajs' } = connection
  if (client === 'kafkajs') return () => kafkajsLink(kafka)
  const options = {
    connectTimeout: connection.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    requestTimeout: connection.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    ...(tls === 'none' ? {} : { tls: tlsOptions(tls) }),
    ...(sasl === 'none' ? {} : { sasl: { ...sasl, mechanism: SASL_NAMES[sasl.mechanism] } }),
  }
  return () => platformaticLink(clientId, options)
}

/** As the protocol has them. */
const SASL_NAMES = {
  'scram-sha-512': 'SCRAM-SHA-512',
  'scram-sha-256': 'SCRAM-SHA-256',
  plain: 'PLAIN',
} as const

function tlsOptions({ ca, cert, key }: KafkaTls): { ca?: string[]; cert?: string; key?: string } {
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid('TLS has a certificate without a key, or a key without a certificate', 'Give both, or neither.')
  }
  return {
    ...(ca === undefined ? {} : { ca: [pem(ca, 'ca')] }),
    ...(cert === undefined ? {} : { cert: pem(cert, 'cert') }),
    ...(key === undefined ? {} : { key: pem(key, 'key') }),
  }
}

function pem(textOrPath: string, name: string): string {
  if (textOrPath.includes('-----BEGIN ')) return textOrPath
  let text: string
  try {
    text = readFileSync(textOrPath, 'utf8')
  } catch (cause) {
    throw invalid(
      `the file of ${name} cannot be read: ${textOrPath}`,
      'Give PEM text, or the path of a PEM file.',
      cause,
    )
  }
  if (text.includes('-----BEGIN ')) return text
  throw invalid(`${textOrPath} (${name}) holds no PEM text`, 'Convert it: openssl writes PEM by default.')
}

function invalid(what: string, hint: string, cause?: unknown): RheoError {
  return new RheoError('CONFIG_INVALID', `Kafka connection: ${what}.`, { hint, cause })
}
