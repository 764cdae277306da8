import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { root } from '../house/source-files.ts'
import { freePort } from './local-server.ts'

/** `deploy/local/start.sh` and `stop.sh`, with a folder of their own that shares the downloads. */
let folder: string
let port: number
const script = (name: 'start' | 'stop', ...args: string[]) =>
  spawnSync(join(root, `deploy/local/${name}.sh`), args, {
    env: { ...process.env, RHEO_SERVERS_DIR: folder, REDIS_PORT: String(port) },
    encoding: 'utf8',
  })
const pidOf = (instance: string) => Number(readFileSync(join(folder, instance, 'pid'), 'utf8').split(' ')[0])

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rheo-servers-'))
  const shared = process.env['RHEO_SERVERS_DIR'] ?? join(root, '.servers')
  mkdirSync(join(shared, 'downloads'), { recursive: true })
  symlinkSync(join(shared, 'downloads'), join(folder, 'downloads'))
  port = await freePort()
})
afterEach(() => {
  script('stop')
  rmSync(folder, { recursive: true })
})

test('start says what it started, and the second time that there was nothing to do', () => {
  const first = script('start', 'redis')
  expect([first.status, first.stdout]).toEqual([0, `redis-${port}\n`])
  const pid = pidOf(`redis-${port}`)
  const second = script('start', 'redis')
  expect([second.status, second.stdout, pidOf(`redis-${port}`)]).toEqual([0, '', pid])
})

test('a server that died is started again, with its data', () => {
  script('start', 'redis')
  const pid = pidOf(`redis-${port}`)
  process.kill(pid, 'SIGKILL')
  while (isAlive(pid)) spawnSync('sleep', ['0.05'])
  const again = script('start', 'redis')
  expect([again.status, again.stdout]).toEqual([0, `redis-${port}\n`])
  expect(readFileSync(join(folder, `redis-${port}/log`), 'utf8')).toContain('DB loaded from')
})

test('a port that something else holds is an error, and that one is left alone', async () => {
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  const { status, stderr, stdout } = script('start', 'redis')
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toContain(`port ${port} is taken`)
  expect(existsSync(join(folder, `redis-${port}`))).toBe(false)
  expect(other.listening).toBe(true)
  other.close()
})

test('stop stops what it names, and nothing that merely has the same process id', () => {
  script('start', 'redis')
  const own = pidOf(`redis-${port}`)
  const other = spawn('sleep', ['60'])
  mkdirSync(join(folder, 'kafka-1'))
  writeFileSync(join(folder, 'kafka-1/pid'), `${other.pid} 12345\n`)
  expect(script('stop', 'kafka').status).toBe(0)
  expect([isAlive(other.pid!), isAlive(own)]).toEqual([true, true])
  expect(script('stop', '--wipe', 'redis').status).toBe(0)
  expect(isAlive(own)).toBe(false)
  expect(isAlive(other.pid!)).toBe(true)
  expect(() => readFileSync(join(folder, `redis-${port}/log`))).toThrow('ENOENT')
  other.kill()
})

test.each([
  ['by name', ['redis']],
  ['with all else', []],
])('what was stopped before can still be wiped, %s', (_, names) => {
  script('start', 'redis')
  expect(script('stop').status).toBe(0)
  expect(existsSync(join(folder, `redis-${port}/data`))).toBe(true)
  expect(script('stop', '--wipe', 'kafka').stderr).toContain('nothing is there of kafka')
  expect(existsSync(join(folder, `redis-${port}/data`))).toBe(true)
  expect(script('stop', '--wipe', ...names).status).toBe(0)
  expect(existsSync(join(folder, `redis-${port}`))).toBe(false)
  expect(existsSync(join(folder, 'downloads'))).toBe(true)
})

test.each(['start', 'stop'] as const)('%s refuses the name of no server', (name) => {
  const { status, stderr } = script(name, 'mysql')
  expect(status).toBe(1)
  expect(stderr).toContain('no server named mysql')
})

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
