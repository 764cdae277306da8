import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSecondsOf } from './local-servers.ts'

const main = resolve(import.meta.dirname, '../../cli/main.ts')
const KEPT_LINES = 40

/** A `rheo run fraud` of its own process (or another program that logs alike), under the eyes of a measurement. */
export class Worker {
  readonly name: string
  readonly #child: ChildProcess
  /** Exit code; null: it was killed. */
  readonly ended: Promise<number | null>
  hasEnded = false
  /** It was stopped (SIGSTOP) and not continued yet. */
  isStopped = false
  /** Tasks that it runs, by its last word. */
  tasks: readonly number[] = []
  /** How often it was heard to run tasks. */
  starts = 0
  /** Where its endpoints are, once it said so. */
  url: string | null = null
  /** How often it said that it tries again or waits, by the error's code. */
  readonly troubles = new Map<string, number>()
  /** The last lines that it wrote. */
  readonly lastLines: string[] = []

  /** `program`: default `rheo run fraud`. */
  constructor(
    name: string,
    directory: string,
    environment: Readonly<Record<string, string>>,
    program?: readonly string[],
  ) {
    this.name = name
    const clean = Object.entries(process.env).filter(([key]) => !/^(RHEO_|FORCE_COLOR|NO_COLOR)/.test(key))
    const env = { ...Object.fromEntries(clean), RHEO_HTTP_PORT: '0', RHEO_LOG_FORMAT: 'json', ...environment }
    const args = program ?? [main, 'run', 'fraud']
    this.#child = spawn(process.execPath, [...args], { cwd: directory, env, stdio: ['ignore', 'ignore', 'pipe'] })
    let rest = ''
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) this.#hear(line)
    })
    this.ended = once(this.#child, 'close').then(([code]) => {
      this.hasEnded = true
      this.tasks = []
      return code as number | null
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  signal(name: NodeJS.Signals): void {
    if (name === 'SIGSTOP') this.isStopped = true
    if (name === 'SIGCONT') this.isStopped = false
    this.#child.kill(name)
  }

  /** SIGKILL, also where it is stopped; returns when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  /** Waits until it runs tasks; false: not within the time, or it ended. */
  async runs(withinMs: number): Promise<boolean> {
    for (const untilMs = performance.now() + withinMs; performance.now() < untilMs; await sleep(50)) {
      if (this.hasEnded) return false
      if (this.tasks.length > 0) return true
    }
    return false
  }

  cpuSeconds(): number {
    return cpuSecondsOf(this.pid)
  }

  rssMiB(): number {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(join('/proc', String(this.pid), 'status'), 'utf8'))?.[1]
    return Number(kib) / 1_024
  }

  #hear(line: string): void {
    this.lastLines.push(line)
    if (this.lastLines.length > KEPT_LINES) this.lastLines.shift()
    if (!line.startsWith('{')) return
    const { msg, tasks, code, http } = JSON.parse(line) as Readonly<Record<string, unknown>>
    if (msg === 'starting') this.url = String(http)
    if (msg === 'running') {
      this.tasks = tasks as number[]
      this.starts++
    }
    if (typeof code === 'string') this.troubles.set(code, (this.troubles.get(code) ?? 0) + 1)
  }
}
