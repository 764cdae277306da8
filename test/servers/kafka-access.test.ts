import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import kafkajs, { type AclEntry } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { rheo } from '../cli/rheo.ts'
import { codeOf, record, topicSpec, values } from '../event-log/harness.ts'
import { BROKER, needBroker, uniqueName } from './kafka-broker.ts'
import { SERVERS, startWorker, until } from './worker-process.ts'

const SASL = process.env['RHEO_TEST_KAFKA_SASL'] ?? '127.0.0.1:19094'
const ca = resolve(process.env['RHEO_SERVERS_DIR'] ?? '.servers', 'tls', 'ca.pem')
const least = { mechanism: 'scram-sha-512', username: 'least', password: 'least-secret' } as const
const scenario = uniqueName()
/** A version of the dense model comes after 2,048. */
const EXAMPLES = 2_100

const module = `
import { count, value } from 'rheo/features'
import { ftrl } from 'rheo/models'
import { falsePositiveRateBelow } from 'rheo/policies/false-positive-rate-below'
import { defineScenario } from 'rheo/scenario'
import { inputTopic } from 'rheo/topics'

const fields = [
  { name: 'orderId', type: 'string' },
  { name: 'eventTime', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'customerId', type: 'string' },
  { name: 'value', type: 'double' },
]
const order = { name: 'order', avro: { type: 'record', name: 'Order', namespace: '${scenario}', fields } }

export default defineScenario({
  name: '${scenario}',
  event: { kind: 'order', topic: inputTopic('${scenario}', 'orders', order, 'customerId'), id: 'orderId', amount: 'value' },
  label: { truth: 'returned', horizon: '45 d', correction: '60 d' },
  features: [value('value'), count().by('customerId').over('1 h')],
  model: ftrl(),
  arms: [{ name: 'selfOptimising' }],
  decide: falsePositiveRateBelow(0.05),
  grace: '1 h',
  duplicatesWithin: '24 h',
})
`

/** The ACLs of docs/kafka.md, for this test's scenario and user. */
function documentedAcls(): AclEntry[] {
  const page = readFileSync(new URL('../../docs/kafka.md', import.meta.url), 'utf8')
  const { AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs
  return page.split('\n').flatMap((line) => {
    const [, resource = '', pattern = '', name = '', operations = ''] = line.split('|').map((cell) => cell.trim())
    if (!(resource in AclResourceTypes)) return []
    return operations.split(', ').map((operation) => ({
      resourceType: AclResourceTypes[resource as keyof typeof AclResourceTypes],
      resourcePatternType: ResourcePatternTypes[pattern as keyof typeof ResourcePatternTypes],
      resourceName: name.replaceAll('`', '').replace('<scenario>', scenario),
      operation: AclOperationTypes[operation as keyof typeof AclOperationTypes],
      permissionType: AclPermissionTypes.ALLOW,
      principal: `User:${least.username}`,
      host: '*',
    }))
  })
}

const admin = new kafkajs.Kafka({ brokers: [BROKER] }).admin()
const directory = mkdtempSync(join(tmpdir(), 'rheo-access-'))

beforeAll(async () => {
  await needBroker()
  await needBroker(SASL, 'RHEO_TEST_KAFKA_SASL')
  await admin.connect()
})
afterAll(async () => {
  await admin.deleteAcls({ filters: documentedAcls() })
  await admin.disconnect()
  rmSync(directory, { recursive: true, force: true })
})

/** Makes a topic of this name, appends and reads. */
async function tried(topic: string): Promise<(string | null)[]> {
  const log = openKafkaLog({ brokers: [SASL], tls: { ca }, sasl: least }, { maxWaitMs: 5 })
  try {
    await log.ensureTopics([topicSpec({ name: topic })])
    await log.append([{ topic, partition: 0, records: [record('a')] }])
    return await values(log, topic)
  } finally {
    await log.close()
  }
}

describe('the ACLs that are documented', () => {
  test('without them nothing is let in', async () => {
    expect(await codeOf(() => tried(`rheo.${scenario}.some`))).toBe('AUTH_FAILED')
  })

  test('are enough for a worker that trains a dense model and lets it score', async () => {
    const acls = documentedAcls()
    expect(acls).toHaveLength(11)
    await admin.createAcls({ acl: acls })
    await until('they are in force', async () => (await tried(`rheo.${scenario}.some`).catch(() => [])).length > 0)
    const file = join(directory, 'orders.ts')
    writeFileSync(file, module)
    const plain = { RHEO_KAFKA: SERVERS.RHEO_KAFKA, RHEO_REDIS: SERVERS.RHEO_REDIS, RHEO_REGISTRY: '' }
    const user = { RHEO_KAFKA_CA: ca, RHEO_KAFKA_USERNAME: least.username, RHEO_KAFKA_PASSWORD: least.password }
    const env = { ...plain, ...user, RHEO_KAFKA: SASL, RHEO_PARTITIONS: '2' }
    const worker = startWorker(directory, env, ['--dense'], file)
    const call = async (args: readonly string[], events: readonly object[] = []) => {
      const stdin = events.map((event) => JSON.stringify(event)).join('\n')
      const done = await rheo(directory, [...args, '--scenario', file, '--json'], { env: plain, stdin })
      expect(done).toMatchObject({ code: 0 })
      return JSON.parse(done.stdout)
    }
    try {
      await until('it runs', () => worker.tasks().length === 2, { workers: [worker] })
      const eventTime = Date.now()
      const ids = Array.from({ length: EXAMPLES }, (_, i) => `o${i}`)
      await call(
        ['produce', 'orders'],
        ids.map((orderId, i) => ({ orderId, eventTime, customerId: `c${i % 97}`, value: i % 50 })),
      )
      await call(
        ['produce', 'labels'],
        ids.map((orderId, i) => ({ orderId, eventTime, returned: i % 50 === 0, source: 'analyst' })),
      )
      await until('a version scores', async () => (await call(['model', 'ls'])).models.length > 0, {
        workers: [worker],
      })
      expect((await call(['model', 'ls'])).models).toMatchObject([{ name: 'dense', version: '2048', scores: true }])
    } finally {
      worker.signal('SIGTERM')
    }
    expect(await worker.ended).toBe(0)
    expect(worker.text()).not.toMatch(/ACL|AUTH_FAILED|is not trained/)
  })

  test('keep the user away from the topics of other scenarios', async () => {
    expect(await codeOf(() => tried(`rheo.${scenario}x.some`))).toBe('AUTH_FAILED')
  })
})
