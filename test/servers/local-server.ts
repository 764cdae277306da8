import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const folder = process.env['RHEO_SERVERS_DIR'] ?? join(root, '.servers')

/**
 * A server of one test's own, which it may break: another port is another instance, with data of its own. Of several
 * nodes, the first is the one that is killed or paused.
 */
export interface LocalServer {
  readonly port: number
  /** Ends the process at once, as kill -9 does. */
  kill(): void
  /** Holds the process up (it answers nothing), and lets it go on. */
  pause(): void
  resume(): void
  /** Starts it again with its data, after `kill`. */
  start(): void
  /** Stops it and removes its data. */
  remove(): void
}

/** Starts one of `deploy/local/start.sh`'s servers on a free port. `settings` are that script's variables. */
export async function startLocalServer(
  service: string,
  portVariable: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<LocalServer> {
  const port = await freePort()
  // What is set for the servers that all tests share is not for this one.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(KAFKA|REGISTRY|REDIS)_/.test(name))
  const onePort = { KAFKA_SASL_PORT: '', KAFKA_MTLS_PORT: '' }
  const env = { ...Object.fromEntries(inherited), ...onePort, ...settings, [portVariable]: String(port) }
  const start = (): string[] => {
    const { status, stdout, stderr } = spawnSync(join(root, 'deploy/local/start.sh'), [service], {
      env,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${service} did not start: ${stderr}`)
    return stdout.trim().split('\n')
  }
  const instances = start()
  const signal = (name: NodeJS.Signals) => {
    const [pid] = readFileSync(join(folder, instances[0]!, 'pid'), 'utf8').split(' ')
    process.kill(Number(pid), name)
  }
  return {
    port,
    start: () => void start(),
    kill: () => {
      signal('SIGKILL')
      while (!isDead(join(folder, instances[0]!, 'pid')))
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    remove: () => execFileSync(join(root, 'deploy/local/stop.sh'), ['--wipe', ...instances], { stdio: 'ignore' }),
  }
}

function isDead(pidFile: string): boolean {
  const [pid] = readFileSync(pidFile, 'utf8').split(' ')
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

export function certificate(name: 'ca.pem' | 'client.crt' | 'client.key'): string {
  return readFileSync(join(folder, 'tls', name), 'utf8')
}

/** A port that nobody listens on, below those that the system gives away itself. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 10_000 + Math.floor(Math.random() * 6_000)
    const isFree = await new Promise<boolean>((done) => {
      const server = createServer()
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
    })
    if (isFree) return port
  }
  throw new Error('no free port was found')
}
