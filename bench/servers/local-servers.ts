import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = resolve(import.meta.dirname, '../..')

/** Servers of one measurement's own, by `deploy/local`, in a folder and on ports of their own. */
export interface LocalServers {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[]
  readonly redisPort: number
  /** The environment of a `rheo` process that uses them. */
  readonly environment: Readonly<Record<string, string>>
  /** kill -9 of one process: `redis`, or `broker 0`, `broker 1`, … Returns when it is dead. */
  kill(server: string): Promise<void>
  /** Starts again what is dead of a service, with its data, and returns when it is ready. */
  start(service: string): Promise<void>
  /** CPU seconds (user + system) that a server's process has used. */
  cpuSeconds(server: string): number
  /** Stops them all and removes the folder. */
  stop(): Promise<void>
}

/** Starts Redis beside one Kafka broker or three (replication 3). `settings`: variables of `deploy/local/start.sh`. */
export async function startServers(
  kafka: 'kafka' | 'kafka3',
  settings: Readonly<Record<string, string>> = {},
): Promise<LocalServers> {
  const folder = mkdtempSync(join(tmpdir(), 'rheo-bench-servers-'))
  const downloads = join(process.env['RHEO_SERVERS_DIR'] ?? join(root, '.servers'), 'downloads')
  if (!existsSync(downloads)) mkdirSync(downloads, { recursive: true })
  symlinkSync(downloads, join(folder, 'downloads'))
  const [kafkaPort, redisPort] = [
    await freePorts(kafka === 'kafka' ? [0, 1] : [0, 1, 10, 11, 20, 21]),
    await freePorts([0]),
  ]
  const ports = kafka === 'kafka' ? [kafkaPort] : [kafkaPort, kafkaPort + 10, kafkaPort + 20]
  const env = {
    ...process.env,
    ...settings,
    RHEO_SERVERS_DIR: folder,
    KAFKA_SASL_PORT: '',
    KAFKA_MTLS_PORT: '',
    [kafka === 'kafka' ? 'KAFKA_PORT' : 'KAFKA3_PORT']: String(kafkaPort),
    REDIS_PORT: String(redisPort),
  }
  const script = async (name: string, ...args: string[]): Promise<void> => {
    const child = spawn(join(root, 'deploy/local', name), args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${code}: ${said}`)
  }
  const pidOf = (server: string): number => {
    const instance = server === 'redis' ? `redis-${redisPort}` : `${kafka}-${ports[Number(server.split(' ')[1])]}`
    return Number(readFileSync(join(folder, instance, 'pid'), 'utf8').split(' ')[0])
  }
  const stop = async (): Promise<void> => {
    await script('stop.sh', '--wipe')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await script('start.sh', kafka, 'redis')
  } catch (error) {
    await stop()
    throw error
  }
  const brokers = ports.map((port) => `127.0.0.1:${port}`)
  return {
    brokers,
    redisPort,
    environment: {
      RHEO_KAFKA: brokers.join(','),
      RHEO_KAFKA_CLIENT: process.env['RHEO_KAFKA_CLIENT'] ?? 'kafkajs',
      RHEO_REDIS: `127.0.0.1:${redisPort}`,
      ...(kafka === 'kafka3' ? { RHEO_REPLICATION: '3' } : {}),
    },
    async kill(server) {
      const pid = pidOf(server)
      process.kill(pid, 'SIGKILL')
      while (!isDead(pid)) await sleep(5)
    },
    start: (service) => script('start.sh', service),
    cpuSeconds: (server) => cpuSecondsOf(pidOf(server)),
    stop,
  }
}

/** CPU seconds (user + system) of a process of this machine (Linux: 100 ticks a second). */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function isDead(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

/** A port that is free, as those are that stand `offsets` above it. */
async function freePorts(offsets: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = 10_000 + Math.floor(Math.random() * 6_000)
    const free = await Promise.all(offsets.map((offset) => isFree(first + offset)))
    if (free.every(Boolean)) return first
  }
  throw new Error('no free ports were found')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
}
