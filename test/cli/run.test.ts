import { describe, expect, it } from 'vitest'
import { startWorker, until } from '../servers/worker-process.ts'
import { inFolder, rheo } from './rheo.ts'

/** No servers: the embedded log. */
const EMBEDDED = { RHEO_KAFKA: '', RHEO_REDIS: '', RHEO_REGISTRY: '' }

const payment = (id: string): string =>
  `${JSON.stringify({ paymentId: id, eventTime: Date.now(), customerId: 'c1', terminalId: 't1', amount: 3 })}\n`

describe('run, on the embedded log', () => {
  it('scores what is appended, counts it, is ready, and drains on SIGTERM', () =>
    inFolder(async (directory) => {
      const worker = startWorker(directory, EMBEDDED)
      try {
        await until('it runs', () => worker.tasks().length === 1, { workers: [worker] })
        expect((await worker.get('/readyz')).status).toBe(200)
        await rheo(directory, ['produce', 'payments'], { stdin: payment('p1') + payment('p2') + payment('p1') })
        const metrics = async (): Promise<string> => (await worker.get('/metrics')).text
        await until('two scores', async () => (await metrics()).includes('rheo_records_out_total{topic="scores"} 2'), {
          workers: [worker],
        })
        const text = await metrics()
        expect(text).toContain('rheo_records_in_total{topic="payments"} 3')
        expect(text).toContain('rheo_duplicates_total{kind="payment"} 1')
        expect(text).toMatch(/rheo_score_latency_seconds_count [1-9]/)
        expect(text).toMatch(/rheo_watermark_age_seconds\{stage="score"\} \d/)
      } finally {
        worker.signal('SIGTERM')
      }
      expect(await worker.ended).toBe(0)
      expect(worker.log.at(-1)).toMatchObject({ msg: expect.stringContaining('stopped') })
      const { stdout } = await rheo(directory, ['subscribe', 'scores', '--no-follow', '--json'])
      expect(stdout.trim().split('\n')).toHaveLength(2)
    }))

  it('goes on where it was killed, and gives the folder up to a process that takes it over', () =>
    inFolder(async (directory) => {
      const first = startWorker(directory, EMBEDDED)
      await until('it runs', () => first.tasks().length === 1, { workers: [first] })
      await rheo(directory, ['produce', 'payments'], { stdin: payment('p1') })
      first.signal('SIGKILL')
      await first.ended
      const second = startWorker(directory, EMBEDDED)
      await until('the next one runs', () => second.tasks().length === 1, { workers: [second] })
      const third = startWorker(directory, EMBEDDED)
      try {
        await until('the third one runs', () => third.tasks().length === 1, { workers: [third] })
        await rheo(directory, ['produce', 'payments'], { stdin: payment('p2') })
        expect(await second.ended).toBe(4)
        expect(second.text()).toContain('FENCED')
      } finally {
        third.signal('SIGTERM')
      }
      expect(await third.ended).toBe(0)
      const { stdout } = await rheo(directory, ['subscribe', 'scores', '--no-follow', '--json'])
      expect(stdout.trim().split('\n')).toHaveLength(2)
    }))

  it('trains a dense model beside the scoring, goes on with it after a crash, and lets it score', () =>
    inFolder(async (directory) => {
      const lines = (events: readonly object[]) => ({ stdin: events.map((event) => JSON.stringify(event)).join('\n') })
      const produce = async (from: number, until: number) => {
        const ids = Array.from({ length: until - from }, (_, i) => `d${from + i}`)
        const some = ids.map((id, i) => ({
          ...JSON.parse(payment(id)),
          customerId: `c${i % 97}`,
          amount: 1 + (i % 500),
        }))
        const told = ids.map((id, i) => {
          return { paymentId: id, eventTime: Date.now(), fraud: i % 50 === 0, source: 'analyst' }
        })
        expect(await rheo(directory, ['produce', 'payments'], lines(some))).toMatchObject({ code: 0 })
        expect(await rheo(directory, ['produce', 'labels'], lines(told))).toMatchObject({ code: 0 })
      }
      const models = async () => JSON.parse((await rheo(directory, ['model', 'ls', '--json'])).stdout).models
      const former = startWorker(directory, EMBEDDED, ['--dense'])
      await until('the first one runs', () => former.tasks().length === 1, { workers: [former] })
      await produce(0, 1_200)
      former.signal('SIGKILL')
      await former.ended
      // A version comes after 2,048.
      const worker = startWorker(directory, EMBEDDED, ['--dense'])
      try {
        await until('the next one runs', () => worker.tasks().length === 1, { workers: [worker] })
        await produce(1_200, 2_100)
        await until('a version', async () => (await models()).length > 0, { workers: [worker] })
        expect(await models()).toMatchObject([{ name: 'dense', version: '2048', scores: true }])
        await rheo(directory, ['produce', 'payments'], { stdin: payment('p1') })
        const args = ['subscribe', 'scores', '--since', 'start', '--no-follow', '--json']
        const scores = async () => (await rheo(directory, args)).stdout
        await until('its score', async () => (await scores()).includes('"p1"'), { workers: [worker] })
        const [score] = (await scores()).split('\n').filter((line) => line.includes('"p1"'))
        expect(JSON.parse(score!).event).toMatchObject({ modelName: 'ftrl+dense@2048', degraded: false })
      } finally {
        worker.signal('SIGTERM')
      }
      expect(await worker.ended).toBe(0)
      expect(worker.text()).not.toContain('is not trained')
    }))

  it.each([
    ['Kafka without a state store that all workers reach', { RHEO_KAFKA: '127.0.0.1:9', RHEO_REDIS: '' }, '--redis'],
    [
      'PLAIN without TLS',
      { RHEO_KAFKA: 'a:1', RHEO_KAFKA_USERNAME: 'u', RHEO_KAFKA_PASSWORD: 's3cret', RHEO_KAFKA_MECHANISM: 'plain' },
      'TLS',
    ],
    ['a port that is none', { ...EMBEDDED, RHEO_HTTP_PORT: '70000' }, 'RHEO_HTTP_PORT'],
  ])('refuses %s with 2, names the cure and no secret', (_what, env, cure) =>
    inFolder(async (directory) => {
      const worker = startWorker(directory, env as Record<string, string>)
      expect(await worker.ended).toBe(2)
      expect(worker.text()).toContain('CONFIG_INVALID')
      expect(worker.text()).toContain(cure)
      expect(worker.text()).not.toContain('s3cret')
    }),
  )
})
