import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { topicName } from '../../schemas/topics.ts'
import { inFolder, rheo } from '../cli/rheo.ts'
import { needBroker } from './kafka-broker.ts'
import { certificate, type LocalServer, startLocalServer } from './local-server.ts'
import { SERVERS } from './worker-process.ts'

const { RHEO_KAFKA, RHEO_REDIS, RHEO_REGISTRY } = SERVERS
const SASL = process.env['RHEO_TEST_KAFKA_SASL'] ?? '127.0.0.1:19094'
/** The port of `discard`: nobody listens. */
const nobody = '127.0.0.1:9'
const MTLS = process.env['RHEO_TEST_KAFKA_MTLS'] ?? '127.0.0.1:19095'

interface Finding {
  readonly check: string
  readonly result: string
  readonly found: string
  readonly cure: string | null
}

/** The findings about servers, and how doctor ended. */
async function doctor(
  env: Record<string, string>,
): Promise<{ readonly code: number | null; readonly of: Map<string, Finding> }> {
  let ended: { readonly code: number | null; readonly of: Map<string, Finding> } | undefined
  await inFolder(async (directory) => {
    const { code, stdout } = await rheo(directory, ['doctor', '--json'], { env })
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] }
    ended = { code, of: new Map(findings.map((finding) => [finding.check, finding])) }
  })
  return ended!
}

beforeAll(async () => {
  await needBroker()
  await needBroker(SASL, 'RHEO_TEST_KAFKA_SASL')
  await needBroker(MTLS, 'RHEO_TEST_KAFKA_MTLS')
})

describe('doctor, about servers', () => {
  it('finds nothing wrong with those that fit', async () => {
    const { code, of } = await doctor({ RHEO_KAFKA, RHEO_REDIS, RHEO_REGISTRY })
    expect(code).toBe(0)
    for (const check of ['Kafka', 'topics', 'transactions', 'Redis', 'schema registry']) {
      expect(of.get(check)).toMatchObject({ check, result: expect.not.stringContaining('failed') })
    }
  })

  it('names the setting of each that does not answer', async () => {
    const env = { RHEO_KAFKA: nobody, RHEO_REDIS: nobody, RHEO_REGISTRY: `http://${nobody}` }
    const { code, of } = await doctor(env)
    expect(code).toBe(1)
    expect(of.get('Kafka')).toMatchObject({ result: 'failed', cure: expect.stringContaining('--kafka') })
    expect(of.get('Redis')).toMatchObject({ result: 'failed', cure: expect.stringContaining('--redis') })
    expect(of.get('schema registry')).toMatchObject({ result: 'failed', cure: expect.stringContaining('--registry') })
  })

  it('says so where something else listens, or TLS is spoken on one side only', async () => {
    const other = (await doctor({ RHEO_KAFKA: RHEO_REDIS, RHEO_REDIS: RHEO_KAFKA })).of
    expect(other.get('Kafka')).toMatchObject({ found: expect.stringContaining('no Kafka answers there') })
    expect(other.get('Redis')).toMatchObject({ result: 'failed', cure: expect.stringContaining('--redis') })
    const plain = (await doctor({ RHEO_KAFKA: SASL, RHEO_REDIS })).of.get('Kafka')
    expect(plain).toMatchObject({ result: 'failed', cure: expect.stringContaining('kafkaTls') })
    const secured = (await doctor({ RHEO_REDIS: `rediss://${RHEO_REDIS}` })).of.get('Redis')
    expect(secured).toMatchObject({ result: 'failed', cure: expect.stringContaining('redis://') })
  })

  it('tells a wrong password from a missing certificate of ours and from a certificate of theirs that nobody knows', async () => {
    const ca = certificate('ca.pem')
    const user = { RHEO_KAFKA: SASL, RHEO_KAFKA_USERNAME: 'app', RHEO_REDIS }
    const wrong = await doctor({ ...user, RHEO_KAFKA_CA: ca, RHEO_KAFKA_PASSWORD: 'wrong' })
    expect(wrong.of.get('Kafka')).toMatchObject({ result: 'failed', cure: expect.stringContaining('password') })
    const unknown = await doctor({ ...user, RHEO_KAFKA_TLS: 'on', RHEO_KAFKA_PASSWORD: 'app-secret' })
    expect(unknown.of.get('Kafka')).toMatchObject({ result: 'failed', cure: expect.stringContaining('CA') })
    const right = await doctor({ ...user, RHEO_KAFKA_CA: ca, RHEO_KAFKA_PASSWORD: 'app-secret' })
    expect(right.of.get('Kafka')).toMatchObject({ result: 'ok' })
    const mutual = { RHEO_KAFKA: MTLS, RHEO_REDIS, RHEO_KAFKA_CA: ca }
    expect((await doctor(mutual)).of.get('Kafka')).toMatchObject({ result: 'failed' })
    const ours = { RHEO_KAFKA_CERT: certificate('client.crt'), RHEO_KAFKA_KEY: certificate('client.key') }
    expect((await doctor({ ...mutual, ...ours })).of.get('Kafka')).toMatchObject({ result: 'ok' })
  })

  it('says how many partitions a topic has, and how many it should have', async () => {
    await rheo('.', ['produce', 'payments'], { env: { RHEO_KAFKA }, stdin: '' })
    const { of } = await doctor({ RHEO_KAFKA, RHEO_REDIS, RHEO_PARTITIONS: '7' })
    expect(of.get('topics')).toMatchObject({
      result: 'failed',
      found: expect.stringContaining(`${topicName('fraud', 'payments')} has 4 partitions instead of 7`),
      cure: expect.stringContaining('--partitions 4'),
    })
  })

  it('asks for Redis where the log is Kafka', async () => {
    const { of } = await doctor({ RHEO_KAFKA })
    expect(of.get('Redis')).toMatchObject({ result: 'failed', cure: expect.stringContaining('--redis') })
  })
})

describe('doctor, about servers set up wrongly', () => {
  const own: LocalServer[] = []
  afterAll(() => {
    for (const server of own) server.remove()
  })

  it('finds a Redis that would drop state, and one that refuses the password', async () => {
    const evicting = await startLocalServer('redis', 'REDIS_PORT', { REDIS_MAXMEMORY_POLICY: 'allkeys-lru' })
    const guarded = await startLocalServer('redis', 'REDIS_PORT', { REDIS_PASSWORD: 'secret' })
    own.push(evicting, guarded)
    const drops = await doctor({ RHEO_REDIS: `127.0.0.1:${evicting.port}` })
    expect(drops.of.get('Redis')).toMatchObject({ result: 'failed', cure: expect.stringContaining('noeviction') })
    const env = { RHEO_REDIS: `redis://app:wrong@127.0.0.1:${guarded.port}` }
    expect((await doctor(env)).of.get('Redis')).toMatchObject({
      result: 'failed',
      found: expect.stringContaining('AUTH_FAILED'),
    })
    const right = await doctor({ RHEO_REDIS: `redis://app:secret@127.0.0.1:${guarded.port}` })
    expect(right.of.get('Redis')).toMatchObject({ result: 'ok' })
  })

  it('registers nothing, and names the field that keeps a registered schema from being read', async () => {
    const registry = await startLocalServer('registry', 'REGISTRY_PORT')
    own.push(registry)
    const url = `http://127.0.0.1:${registry.port}/apis/ccompat/v7`
    const fields = [{ name: 'paymentId', type: 'long' }]
    const schema = JSON.stringify({ type: 'record', name: 'Payment', namespace: 'rheo.fraud', fields })
    const send = async (method: string, path: string, body: object): Promise<void> => {
      const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
      const { status } = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
      expect(status).toBe(200)
    }
    const fresh = { result: 'ok', found: expect.stringContaining('none of the 5 schemas yet') }
    expect((await doctor({ RHEO_REGISTRY: url })).of.get('schema registry')).toMatchObject(fresh)
    const subjects = await (await fetch(`${url}/subjects`)).json()
    expect(subjects).toEqual([])
    const subject = `${topicName('fraud', 'payments')}-value`
    await send('POST', `/subjects/${subject}/versions`, { schema, schemaType: 'AVRO' })
    await send('PUT', `/config/${subject}`, { compatibility: 'BACKWARD_TRANSITIVE' })
    const { of } = await doctor({ RHEO_REGISTRY: url, RHEO_STATE: `s-${randomUUID()}` })
    expect(of.get('schema registry')).toMatchObject({
      result: 'failed',
      found: expect.stringMatching(/paymentId.*SCHEMA_INCOMPATIBLE/),
      cure: expect.stringContaining('default'),
    })
  })
})
