import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { topicName } from '../../schemas/topics.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { rheo } from '../cli/rheo.ts'
import { type LocalServer, startLocalServer } from './local-server.ts'
import { startWorker, until, type WorkerProcess } from './worker-process.ts'

const SCORES = topicName('fraud', 'scores')
const BATCH = 300

let kafka: LocalServer
let redis: LocalServer
let directory: string
let worker: WorkerProcess
let produced = 0
beforeAll(async () => {
  kafka = await startLocalServer('kafka', 'KAFKA_PORT')
  redis = await startLocalServer('redis', 'REDIS_PORT')
  directory = mkdtempSync(join(tmpdir(), 'rheo-outages-'))
})
afterAll(() => {
  for (const server of [kafka, redis]) server.remove()
  rmSync(directory, { recursive: true, force: true })
})

const servers = () => ({
  RHEO_KAFKA: `127.0.0.1:${kafka.port}`,
  RHEO_REDIS: `127.0.0.1:${redis.port}`,
  RHEO_REGISTRY: '',
  RHEO_LOG_LEVEL: 'debug',
})

beforeEach(async () => {
  worker = startWorker(directory, servers())
  await until('it runs', () => worker.tasks().length === 4, { workers: [worker] })
})
afterEach(async () => {
  worker.signal('SIGTERM')
  expect(await worker.ended).toBe(0)
})

async function produce(): Promise<void> {
  const lines = Array.from({ length: BATCH }, (_, n) => {
    const i = produced + n
    const [paymentId, customerId, terminalId] = [`p${i}`, `c${i % 97}`, `t${i % 31}`]
    return JSON.stringify({ paymentId, eventTime: Date.now(), customerId, terminalId, amount: 1 + (i % 500) })
  })
  produced += BATCH
  const { code, stderr } = await rheo(directory, ['produce', 'payments'], { env: servers(), stdin: lines.join('\n') })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

async function scoredIds(): Promise<readonly string[]> {
  const log = openKafkaLog({ brokers: [`127.0.0.1:${kafka.port}`] })
  const ids: string[] = []
  try {
    for (let partition = 0; partition < 4; partition++) {
      for (let next = 0n; ; ) {
        const fetched = await log.fetch(SCORES, partition, next, { maxRecords: 5_000, maxBytes: 2 ** 24 })
        for (const { key } of fetched.records) ids.push(Buffer.from(key!).toString())
        if (fetched.next === next) break
        next = fetched.next
      }
    }
  } finally {
    await log.close()
  }
  return ids
}

/** Every payment produced so far has one score. */
async function allScored(): Promise<void> {
  await until('all scores', async () => (await scoredIds()).length >= produced, { workers: [worker] })
  const ids = await scoredIds()
  expect({ scores: ids.length, payments: new Set(ids).size }).toEqual({ scores: produced, payments: produced })
}

async function reasons(): Promise<readonly string[]> {
  const { text } = await worker.get('/readyz')
  return (JSON.parse(text) as { reasons: { reason: string }[] }).reasons.map(({ reason }) => reason)
}

const notReady = (reason: string) =>
  until(`/readyz names: ${reason}`, async () => (await reasons()).includes(reason), { workers: [worker] })
const ready = () => until('/readyz', async () => (await worker.get('/readyz')).status === 200, { workers: [worker] })

describe('a worker whose servers fail', () => {
  it('waits for a Redis that was killed, says so, and loses nothing', async () => {
    await produce()
    await allScored()
    redis.kill()
    await produce()
    await notReady('state away')
    expect((await worker.get('/livez')).status).toBe(200)
    redis.start()
    await ready()
    await produce()
    await allScored()
  })

  it('waits for a Redis that answers nothing', async () => {
    await produce()
    redis.pause()
    await produce()
    await notReady('state away')
    redis.resume()
    await ready()
    await allScored()
  })

  it('brings state back from the log into a Redis that was emptied', async () => {
    await produce()
    await allScored()
    const customer = ['state', 'get', 'customerId', 'c1', '--json']
    const before = await rheo(directory, customer, { env: servers() })
    expect(JSON.parse(before.stdout)).toMatchObject({ key: 'c1' })
    const client = new Redis({ host: '127.0.0.1', port: redis.port })
    await client.flushall()
    client.disconnect()
    await produce()
    await allScored()
    await ready()
    await until('the state of c1', async () => (await rheo(directory, customer, { env: servers() })).code === 0, {
      workers: [worker],
    })
  })

  it('notices a Redis that was emptied while nothing came in', async () => {
    await produce()
    await allScored()
    await ready()
    const client = new Redis({ host: '127.0.0.1', port: redis.port })
    const features = async () => (await client.keys('*:features:customerId:*')).length
    await until('readable features', async () => (await features()) > 0, { workers: [worker] })
    await client.flushall()
    await until('readable features again', async () => (await features()) > 0, { workers: [worker] })
    client.disconnect()
  })

  it('waits for a broker that was killed, and doubles nothing', async () => {
    await produce()
    kafka.kill()
    await notReady('log away')
    expect((await worker.get('/livez')).status).toBe(200)
    kafka.start()
    await ready()
    await produce()
    await allScored()
  })
})
