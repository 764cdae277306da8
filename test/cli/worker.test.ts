import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { untilThere } from '../../cli/await-server.ts'
import { Health } from '../../cli/health.ts'
import { type Endpoints, openEndpoints } from '../../cli/http-endpoints.ts'
import { endsOf, observeLog } from '../../cli/observe-log.ts'
import { observeMembership } from '../../cli/observe-membership.ts'
import { TaskTally } from '../../cli/task-tally.ts'
import { prettyLine } from '../../cli/worker-log.ts'
import { RheoError } from '../../schemas/errors.ts'
import type { Transaction } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import type { Membership, MembershipListener } from '../../streams/membership.ts'
import type { Task } from '../../streams/run-task.ts'

describe('health', () => {
  it('is ready when nothing speaks against it, and lists what does', () => {
    const health = new Health(() => 0)
    health.raise('log away', 'no broker answers')
    health.degrade('model trees', 'its file is gone')
    expect(health.readiness()).toEqual({
      ready: false,
      reasons: [{ reason: 'log away', detail: 'no broker answers' }],
      degraded: ['model trees: its file is gone'],
    })
    health.clear('log away')
    expect(health.readiness().ready).toBe(true)
  })

  it('hangs when it works and nothing moves for two minutes, but not while it waits', () => {
    let nowMs = 0
    const health = new Health(() => nowMs)
    nowMs = 10 * 60_000
    expect(health.hanging()).toBeNull()
    health.moved()
    nowMs += 119_000
    expect(health.hanging()).toBeNull()
    nowMs += 2_000
    expect(health.hanging()).toContain('121 s')
    health.rests()
    expect(health.hanging()).toBeNull()
  })
})

describe('the HTTP endpoints', () => {
  const open: Endpoints[] = []
  afterEach(async () => {
    for (const endpoints of open.splice(0)) await endpoints.close()
  })
  async function endpoints(health: Health, port = 0, which: 'only this' | 'or the next' = 'only this') {
    const metrics = async () => ({ contentType: 'text/plain', text: 'up 1\n' })
    const opened = await openEndpoints({ host: '127.0.0.1', port, which, health, metrics })
    open.push(opened)
    return opened.url
  }

  it('answer with status and reasons', async () => {
    const health = new Health(() => 0)
    const url = await endpoints(health)
    expect(await (await fetch(`${url}/metrics`)).text()).toBe('up 1\n')
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    health.raise('recovering', 'task 0')
    const response = await fetch(`${url}/readyz`)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ reasons: [{ reason: 'recovering', detail: 'task 0' }] })
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect((await fetch(`${url}/other`)).status).toBe(404)
    expect((await fetch(`${url}/readyz`, { method: 'POST' })).status).toBe(405)
  })

  it('take the next port where any will do, and refuse a taken one otherwise', async () => {
    const health = new Health(() => 0)
    const { port } = new URL(await endpoints(health))
    const second = new URL(await endpoints(health, Number(port), 'or the next'))
    expect(second.port).not.toBe(port)
    await expect(endpoints(health, Number(port))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('waiting for a server', () => {
  const away = () => new RheoError('LOG_UNAVAILABLE', 'no broker answers', { retryable: true })

  it('goes on until it is there', async () => {
    const waited: string[] = []
    let attempts = 0
    const work = async (): Promise<string> => {
      if (++attempts < 3) throw away()
      return 'there'
    }
    const { signal } = new AbortController()
    const patience = { signal, giveUpAfterMs: null, onWaiting: (error: RheoError) => waited.push(error.code) }
    expect(await untilThere(work, patience)).toBe('there')
    expect(waited).toEqual(['LOG_UNAVAILABLE', 'LOG_UNAVAILABLE'])
  })

  it('ends with the failure when patience ends, and at once with what will not pass', async () => {
    const { signal } = new AbortController()
    const patience = { signal, giveUpAfterMs: 600, onWaiting: () => undefined }
    const fromMs = performance.now()
    await expect(untilThere(() => Promise.reject(away()), patience)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
    expect(performance.now() - fromMs).toBeGreaterThan(590)
    const wrong = new RheoError('AUTH_FAILED', 'wrong password')
    await expect(untilThere(() => Promise.reject(wrong), { ...patience, giveUpAfterMs: null })).rejects.toBe(wrong)
  })

  it('has patience anew once the work got on in between', async () => {
    const { signal } = new AbortController()
    let attempts = 0
    const work = async (): Promise<string> => {
      if (++attempts === 4) return 'there'
      throw away()
    }
    const patience = { signal, giveUpAfterMs: 600, onWaiting: () => undefined }
    const getsOn = { ...patience, workedAtMs: () => performance.now() }
    expect(await untilThere(work, getsOn)).toBe('there')
    attempts = 0
    await expect(untilThere(work, patience)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
  })

  it('ends without a result when it is told to stop', async () => {
    const stop = new AbortController()
    const patience = { signal: stop.signal, giveUpAfterMs: null, onWaiting: () => stop.abort() }
    expect(await untilThere(() => Promise.reject(away()), patience)).toBeNull()
  })
})

describe('an observed log', () => {
  const spec = { name: 'a', partitions: 1, cleanup: 'delete', retentionMs: null, maxRecordBytes: 1_000 } as const
  const record = (i: number) => ({ key: null, value: Buffer.from([i]), timestampMs: i })
  const limits = { maxRecords: 10, maxBytes: 1_000 }

  async function observed() {
    const log = createMemoryLog()
    await log.ensureTopics([spec])
    await log.append([{ topic: 'a', partition: 0, records: [0, 1, 2, 3].map(record) }])
    const seen = { fetched: 0, commits: [] as string[], together: [] as string[] }
    const watch = {
      onFetched: (_topic: string, records: number) => {
        seen.fetched += records
      },
      onCommitted: (_transaction: Transaction, _seconds: number, readable: string) => seen.commits.push(readable),
      onTogether: (outcome: string) => seen.together.push(outcome),
    }
    return { seen, inner: log, ...observeLog(log, watch) }
  }

  it('counts each record once, however often it is fetched', async () => {
    const { log, seen, unread } = await observed()
    await log.fetch('a', 0, 0n, { ...limits, maxRecords: 2 })
    await log.fetch('a', 0, 0n, limits)
    expect(seen.fetched).toBe(4)
    expect(unread('a', 0, 7n)).toBe(3)
  })

  it('has nothing unread where it has just found nothing, whatever markers lie before the end', async () => {
    const { log, unread } = await observed()
    expect(unread('a', 0, 5n)).toBeNull()
    await log.fetch('a', 0, 0n, limits)
    expect(unread('a', 0, 5n)).toBe(1)
    await log.fetch('a', 0, 4n, limits)
    expect(unread('a', 0, 5n)).toBe(0)
    await log.fetch('a', 0, 2n, limits)
    expect(unread('a', 0, 5n)).toBe(1)
  })

  it('takes what was committed before a task was acquired for something to restore, not for something new', async () => {
    const { log, inner, seen, toRestore } = await observed()
    const former = await inner.acquire('g', 't')
    await former.commit({ appends: [], positions: [{ topic: 'a', partition: 0, next: 3n }] })
    const writer = await log.acquire('g', 't')
    expect(await writer.committed('a', 0)).toBe(3n)
    await log.fetch('a', 0, 0n, { ...limits, maxRecords: 1 })
    expect(toRestore('a', 0)).toBe(2)
    await log.fetch('a', 0, 1n, limits)
    expect(toRestore('a', 0)).toBe(0)
    expect(seen.fetched).toBe(1)
  })

  it('says when commits become readable, and that those of a failed whole never do', async () => {
    const { log, seen } = await observed()
    const writer = await log.acquire('g', 't')
    const commit = () => writer.commit({ appends: [], positions: [] })
    await commit()
    await log.together(commit)
    const failing = log.together(async () => {
      await commit()
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(seen).toMatchObject({ commits: ['now', 'later', 'later'], together: ['readable', 'failed'] })
  })

  it('samples the ends of what is appended', () => {
    const [first, middle, last] = [1, 2, 3].map(record)
    const appends = [
      { topic: 'a', partition: 0, records: [first!, middle!, last!] },
      { topic: 'b', partition: 0, records: [middle!] },
    ]
    expect(endsOf({ appends, positions: [] }, 'a')).toEqual([first, last])
    expect(endsOf({ appends, positions: [] }, 'b')).toEqual([middle])
  })
})

describe('a task tally', () => {
  const task = (number: number, counts: Record<string, number>) => ({ number, counts }) as unknown as Task

  it('tells what tasks counted here, and nothing that they brought along', () => {
    const told: Record<string, number> = {}
    const tally = new TaskTally((name, more) => {
      told[name] = (told[name] ?? 0) + more
    })
    const old = { records: 100, late: 1 }
    const first = task(0, old)
    tally.change([first])
    old.records = 103
    tally.settle()
    expect(told).toEqual({ records: 3 })
    old.late = 2
    tally.change([task(0, { records: 500, late: 5 })])
    tally.settle()
    expect(told).toEqual({ records: 3, late: 1 })
  })
})

describe('an observed membership', () => {
  it('tells what is held before the run loop takes it, and after it let go', async () => {
    const calls: string[] = []
    let listener: MembershipListener | undefined
    const membership: Membership = {
      async join(given) {
        listener = given
      },
      leave: () => Promise.resolve(),
    }
    const observed = observeMembership(membership, (tasks, change) => calls.push(`${change} ${tasks}`))
    await observed.join({
      assigned: (tasks) => void calls.push(`run ${tasks}`),
      async revoked(tasks) {
        await sleep(5)
        calls.push(`stop ${tasks}`)
      },
      failed: () => undefined,
    })
    await listener!.assigned([2, 0])
    await listener!.revoked([2])
    expect(calls).toEqual(['assigned 0,2', 'run 2,0', 'stop 2', 'revoked 0'])
  })
})

describe('log lines for people', () => {
  it('are one line each, whatever they hold', () => {
    const line = JSON.stringify({
      level: 40,
      time: '2026-08-08T12:00:00.123Z',
      pid: 1,
      hostname: 'h',
      tasks: [0, 1],
      msg: 'waiting\n\u001b[2J',
    })
    expect(prettyLine(line)).toBe('12:00:00.123 warn  waiting\\x0a\\x1b[2J  tasks=0,1')
  })
})
