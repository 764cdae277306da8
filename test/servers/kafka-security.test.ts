import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import type { KafkaConnection } from '../../streams/event-log/kafka-connection.ts'
import { codeOf, record, topicSpec, values } from '../event-log/harness.ts'
import { BROKER, CLIENTS, needBroker, uniqueName } from './kafka-broker.ts'

const SASL = process.env['RHEO_TEST_KAFKA_SASL'] ?? '127.0.0.1:19094'
const MTLS = process.env['RHEO_TEST_KAFKA_MTLS'] ?? '127.0.0.1:19095'
const certificates = join(process.env['RHEO_SERVERS_DIR'] ?? '.servers', 'tls')
const ca = join(certificates, 'ca.pem')
const cert = join(certificates, 'client.crt')
const key = join(certificates, 'client.key')
const sasl = { mechanism: 'scram-sha-512', username: 'app', password: 'app-secret' } as const

beforeAll(async () => {
  await needBroker()
  await needBroker(SASL, 'RHEO_TEST_KAFKA_SASL')
  await needBroker(MTLS, 'RHEO_TEST_KAFKA_MTLS')
})

describe.each(CLIENTS)('by %s', (client) => {
  /** Appends and reads a record over this connection. */
  async function roundTrip(connection: KafkaConnection): Promise<(string | null)[]> {
    const log = openKafkaLog({ client, ...connection }, { maxWaitMs: 5 })
    const topic = uniqueName()
    try {
      await log.ensureTopics([topicSpec({ name: topic })])
      await log.append([{ topic, partition: 0, records: [record('a')] }])
      const writer = await log.acquire(topic, '0')
      await writer.commit({
        appends: [{ topic, partition: 0, records: [record('b')] }],
        positions: [{ topic, partition: 0, next: 1n }],
      })
      return await values(log, topic)
    } finally {
      await log.close()
    }
  }

  describe('over TLS', () => {
    test('SCRAM-SHA-512 and SCRAM-SHA-256 let the user in', async () => {
      expect(await roundTrip({ brokers: [SASL], tls: { ca }, sasl })).toEqual(['a', 'b'])
      const sha256 = { ...sasl, mechanism: 'scram-sha-256' } as const
      expect(await roundTrip({ brokers: [SASL], tls: { ca }, sasl: sha256 })).toEqual(['a', 'b'])
    })

    test('certificates may be given as PEM text, too', async () => {
      const text = readFileSync(ca, 'utf8')
      expect(await roundTrip({ brokers: [SASL], tls: { ca: text }, sasl })).toEqual(['a', 'b'])
    })

    test('our own certificate lets us in where the broker asks for one', async () => {
      expect(await roundTrip({ brokers: [MTLS], tls: { ca, cert, key } })).toEqual(['a', 'b'])
    })
  })

  describe('refused', () => {
    const refusal = (connection: KafkaConnection) => codeOf(() => roundTrip({ connectTimeoutMs: 2_000, ...connection }))

    test('a wrong password, a user that is not known, and a mechanism that is not offered', async () => {
      expect(await refusal({ brokers: [SASL], tls: { ca }, sasl: { ...sasl, password: 'wrong' } })).toBe('AUTH_FAILED')
      expect(await refusal({ brokers: [SASL], tls: { ca }, sasl: { ...sasl, username: 'nobody' } })).toBe('AUTH_FAILED')
      expect(await refusal({ brokers: [SASL], tls: { ca }, sasl: { ...sasl, mechanism: 'plain' } })).toBe('AUTH_FAILED')
    })

    test('a broker whose certificate nobody vouches for', async () => {
      expect(await refusal({ brokers: [SASL], tls: {}, sasl })).toBe('AUTH_FAILED')
    })

    test('a certificate signed by another authority than the one given', async () => {
      expect(await refusal({ brokers: [SASL], tls: { ca: cert }, sasl })).toBe('AUTH_FAILED')
    })

    test('a client without a certificate where the broker asks for one', async () => {
      expect(await refusal({ brokers: [MTLS], tls: { ca } })).toBe('AUTH_FAILED')
    })

    test('a broker that is not there, and one that speaks TLS to a client that does not: both may come right', async () => {
      expect(await refusal({ brokers: ['127.0.0.1:1'] })).toBe('LOG_UNAVAILABLE')
      expect(await refusal({ brokers: [SASL] })).toBe('LOG_UNAVAILABLE')
    })
  })
})

describe('refused before anything is sent', () => {
  const opening = (connection: KafkaConnection) => codeOf(() => openKafkaLog(connection))

  test('PLAIN without TLS, half a key pair, no brokers, a file that is not there or no PEM, an empty password', async () => {
    const brokers = [BROKER]
    expect(await opening({ brokers, sasl: { ...sasl, mechanism: 'plain' } })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers, tls: { cert } })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers: [] })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers: ['localhost'] })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers, tls: { ca: 'nowhere.pem' } })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers, tls: { ca: 'package.json' } })).toBe('CONFIG_INVALID')
    expect(await opening({ brokers, sasl: { ...sasl, password: '' } })).toBe('CONFIG_INVALID')
  })
})
