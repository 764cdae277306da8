import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { topicName } from '../../schemas/topics.ts'
import type { EventLog, LogRecord } from '../../streams/event-log/event-log.ts'
import { headerText } from '../../streams/event-log/headers.ts'
import { openKafkaLog } from '../../streams/event-log/kafka.ts'
import { partitionOf } from '../../streams/partition.ts'
import { rheo } from '../cli/rheo.ts'
import { needBroker } from './kafka-broker.ts'
import { SERVERS, serverEnvironment, startWorker, until, type WorkerProcess } from './worker-process.ts'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const [PAYMENTS, SCORES, OUTCOMES] = ['payments', 'scores', 'outcomes'].map((short) => topicName('fraud', short))
const PARTITIONS = 4
/** So many payments per stretch of the test, enough that a kill comes in the middle of them. */
const STRETCH = 1_500

/** Other runs may have left their payments in the topics: this one's have names of their own. */
const run = randomUUID().slice(0, 8)
const workers: WorkerProcess[] = []
let directory: string
let log: EventLog

beforeAll(async () => {
  await needBroker()
  directory = mkdtempSync(join(tmpdir(), 'rheo-run-'))
  log = openKafkaLog({ brokers: SERVERS.RHEO_KAFKA.split(',') })
})
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.signal('SIGKILL')
    await worker.ended
  }
})
afterAll(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

function start(more: Readonly<Record<string, string>> = {}): WorkerProcess {
  const worker = startWorker(directory, more)
  workers.push(worker)
  return worker
}

async function share(...shares: readonly [WorkerProcess, number][]): Promise<void> {
  const what = shares.map(([, tasks]) => tasks).join(' and ')
  await until(`tasks shared out as ${what}`, () => shares.every(([worker, tasks]) => worker.tasks().length === tasks), {
    workers,
  })
}

const idOf = (i: number): string => `${run}-${i}`

function payments(from: number, until: number): string {
  const lines = Array.from({ length: until - from }, (_, n) => {
    const i = from + n
    const [customerId, terminalId] = [`${run}-c${i % 97}`, `${run}-t${i % 31}`]
    return JSON.stringify({ paymentId: idOf(i), eventTime: Date.now(), customerId, terminalId, amount: 1 + (i % 500) })
  })
  return `${lines.join('\n')}\n`
}

function labels(from: number, until: number): string {
  const lines = Array.from({ length: until - from }, (_, n) => {
    return JSON.stringify({ paymentId: idOf(from + n), eventTime: Date.now(), fraud: true, source: 'analyst' })
  })
  return `${lines.join('\n')}\n`
}

/** `rheo produce`, with what it reads. */
async function produce(topic: string, lines: string, ...more: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [main, 'produce', topic, ...more], { cwd: directory, env: serverEnvironment() })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout.resume()
  child.stdin.end(lines)
  const [code] = await once(child, 'close')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

/** This run's records of an output topic, by read_committed, from the offsets that the topic had at the start. */
function reader(topic: string) {
  const next: bigint[] = Array.from({ length: PARTITIONS }, () => 0n)
  const found: LogRecord[] = []
  return async (): Promise<readonly LogRecord[]> => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (;;) {
        const from = next[partition]!
        const fetched = await log.fetch(topic, partition, from, { maxRecords: 5_000, maxBytes: 2 ** 24 })
        next[partition] = fetched.next
        for (const record of fetched.records) if (keyOf(record).startsWith(`${run}-`)) found.push(record)
        if (fetched.next === from) break
      }
    }
    return found
  }
}

const keyOf = ({ key }: LogRecord): string => Buffer.from(key!).toString()

/** Ids that came more than once, and ids that did not come. */
function difference(records: readonly LogRecord[], count: number) {
  const times = new Map<string, number>()
  for (const record of records) times.set(keyOf(record), (times.get(keyOf(record)) ?? 0) + 1)
  const wanted = Array.from({ length: count }, (_, i) => idOf(i))
  return {
    lost: wanted.filter((id) => !times.has(id)).length,
    doubled: [...times.values()].filter((number) => number > 1).length,
  }
}

describe('workers on Kafka, Redis and a registry', () => {
  it('share the tasks, and score every payment once while one is killed and another joins', async () => {
    const scores = reader(SCORES!)
    const outcomes = reader(OUTCOMES!)
    const first = start()
    await share([first, PARTITIONS])
    const second = start()
    await share([first, 2], [second, 2])
    expect([...first.tasks(), ...second.tasks()].sort()).toEqual([0, 1, 2, 3])

    await produce('payments', payments(0, STRETCH))
    await until('a score of every payment', async () => (await scores()).length >= STRETCH, { workers })
    expect(difference(await scores(), STRETCH)).toEqual({ lost: 0, doubled: 0 })
    await produce('labels', labels(0, 200))
    await until('an outcome of every label', async () => (await outcomes()).length >= 200, { workers })

    const producing = produce('payments', payments(STRETCH, 3 * STRETCH), '--rate', '300')
    await until('half a stretch', async () => (await scores()).length >= 1.5 * STRETCH, { workers })
    first.signal('SIGKILL')
    await share([second, PARTITIONS])
    const third = start()
    await share([second, 2], [third, 2])
    await producing
    await until('a score of every payment', async () => (await scores()).length >= 3 * STRETCH, { workers })

    const metrics = (await third.get('/metrics')).text
    expect(metrics).toMatch(/^rheo_tasks_held 2$/m)
    expect(metrics).not.toContain(run)
    for (const worker of [second, third]) worker.signal('SIGTERM')
    const ends = await Promise.all([second.ended, third.ended])
    expect(ends, `${second.text()}\n${third.text()}`).toEqual([0, 0])
    expect(difference(await scores(), 3 * STRETCH)).toEqual({ lost: 0, doubled: 0 })
    expect(difference(await outcomes(), 200)).toEqual({ lost: 0, doubled: 0 })
  })

  it('hand the trace context of a payment on to its score, and keep the payment for its label', async () => {
    const scores = reader(SCORES!)
    const worker = start()
    await share([worker, PARTITIONS])
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const id = `${run}-traced`
    const customerId = `${run}-c1`
    const event = { paymentId: id, eventTime: Date.now(), customerId, terminalId: `${run}-t1`, amount: 3 }
    const record = {
      key: Buffer.from(customerId),
      value: Buffer.from(JSON.stringify(event)),
      headers: { traceparent },
      timestampMs: Date.now(),
    }
    await log.append([{ topic: PAYMENTS!, partition: partitionOf(customerId, PARTITIONS), records: [record] }])
    const found = async () => (await scores()).find((each) => keyOf(each) === id)
    await until('its score', async () => (await found()) !== undefined, { workers })
    expect(headerText((await found())!.headers, 'traceparent')).toBe(traceparent)
    const state = async () => await rheo(directory, ['state', 'get', 'score', id, '--json'], { env: SERVERS })
    await until('its state', async () => (await state()).code === 0, { workers })
    expect(JSON.parse((await state()).stdout)).toMatchObject({ state: { event: { paymentId: id, customerId } } })
  })

  it('waits for servers that are not there, says for which, and ends on SIGTERM all the same', async () => {
    const worker = start({ RHEO_KAFKA: '127.0.0.1:9', RHEO_DRAIN: '5s' })
    const waiting = () => worker.log.find(({ msg }) => String(msg).startsWith('waiting'))
    await until('it says so', () => waiting() !== undefined, { workers })
    expect(waiting()).toMatchObject({ code: 'LOG_UNAVAILABLE' })
    const { status, text } = await worker.get('/readyz')
    expect(status).toBe(503)
    expect(JSON.parse(text).reasons).toContainEqual({
      reason: 'log away',
      detail: expect.stringContaining('127.0.0.1'),
    })
    expect((await worker.get('/livez')).status).toBe(200)
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
  })

  it('gives up waiting when it was asked to', async () => {
    const worker = start({ RHEO_REDIS: '127.0.0.1:9', RHEO_GIVE_UP_AFTER: '3s' })
    expect(await worker.ended).toBe(4)
    expect(worker.text()).toContain('STATE_UNAVAILABLE')
  })
})
