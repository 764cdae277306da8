import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const downloads = join(import.meta.dirname, '../../.servers/downloads/redis')
const READY_WITHIN_MS = 10_000

/**
 * A Redis of this process's own, durable in `directory` (append-only file, written through every second): the one that
 * `deploy/local/start.sh redis` downloaded, or the machine's.
 */
export async function startRedis(directory: string): Promise<{ readonly port: number; stop(): void }> {
  const port = await freePort()
  const settings = { port, dir: directory, bind: '127.0.0.1', save: '', appendonly: 'yes', appendfsync: 'everysec' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = spawnServer([...args, '--daemonize', 'no', '--logfile', join(directory, 'redis.log')])
  for (const untilMs = performance.now() + READY_WITHIN_MS; !(await answers(port)); await sleep(20)) {
    if (server.exitCode !== null || performance.now() > untilMs) throw new Error('redis-server did not come up')
  }
  return { port, stop: () => server.kill('SIGTERM') }
}

function spawnServer(args: readonly string[]): ChildProcess {
  const own = join(downloads, 'usr/bin/redis-server')
  if (!existsSync(own)) return spawn('redis-server', args, { stdio: 'ignore' })
  const libraries = readdirSync(join(downloads, 'usr/lib')).map((folder) => join(downloads, 'usr/lib', folder))
  return spawn(own, args, { stdio: 'ignore', env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') } })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
