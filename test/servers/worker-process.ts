import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** The servers that these tests run against; nothing here skips where they are missing. */
export const SERVERS = {
  RHEO_KAFKA: process.env['RHEO_TEST_KAFKA'] ?? '127.0.0.1:19092',
  RHEO_REDIS: process.env['RHEO_TEST_REDIS'] ?? '127.0.0.1:16379',
  RHEO_REGISTRY: process.env['RHEO_TEST_REGISTRY'] ?? 'http://127.0.0.1:18081/apis/ccompat/v7',
}

/** A `rheo run` of its own process. */
export interface WorkerProcess {
  /** What it logged so far, one line an entry. */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  /** Tasks that it runs, by its last word. */
  tasks(): readonly number[]
  /** The answer of one of its endpoints. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>
  signal(name: NodeJS.Signals): void
  /** Its exit code, once it has ended; null: it was killed. */
  readonly ended: Promise<number | null>
  /** What it wrote, for the report of a failure. */
  text(): string
}

/** Everything of the environment but Rheo's own settings, and the servers. */
export function serverEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const clean = Object.entries(process.env).filter(([name]) => !/^(RHEO_|FORCE_COLOR|NO_COLOR)/.test(name))
  return { ...(Object.fromEntries(clean) as Record<string, string>), ...SERVERS, ...more }
}

export function startWorker(
  directory: string,
  more: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
  scenario = 'fraud',
): WorkerProcess {
  const env = serverEnvironment({ RHEO_HTTP_PORT: '0', ...more })
  const child = spawn(process.execPath, [main, 'run', scenario, ...flags], { cwd: directory, env })
  return watch(child)
}

function watch(child: ChildProcess): WorkerProcess {
  const log: Record<string, unknown>[] = []
  let text = ''
  let rest = ''
  child.stdout!.resume()
  child.stderr!.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith('{')) log.push(JSON.parse(line) as Record<string, unknown>)
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    log,
    ended,
    text: () => text,
    tasks: () => (log.findLast(({ msg }) => msg === 'running')?.['tasks'] as number[] | undefined) ?? [],
    async get(path) {
      const { http } = log.find(({ msg }) => msg === 'starting') ?? {}
      const response = await fetch(`${http}${path}`, { headers: { connection: 'close' } }).catch((cause: unknown) => {
        throw new Error(`the worker does not answer; it said:\n${text}`, { cause })
      })
      return { status: response.status, text: await response.text() }
    },
    signal: (name) => void child.kill(name),
  }
}

/** Waits until it holds, whatever else it takes; throws with what was hoped for, and what the workers said. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { withinMs = 120_000, workers = [] as readonly WorkerProcess[] } = {},
): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > untilMs) {
      throw new Error(
        `within ${withinMs} ms, ${what} did not come true:\n${workers.map((each) => each.text()).join('\n')}`,
      )
    }
    await sleep(100)
  }
}
