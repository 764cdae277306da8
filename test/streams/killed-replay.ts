import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Random } from '../../processors/random.ts'
import { openSqliteStateStore } from '../../streams/state/sqlite.ts'
import { storedState } from './fraud-stream.ts'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** Of the time that an unbroken run takes: a run that goes on is shorter, and most are to be killed several times. */
const LATEST_KILL = 0.7

/** The stream that is replayed through the command line, again and again. */
export interface KilledStream {
  readonly payments: number
  readonly days: number
  readonly seed: number
}

/** What a replay that ran to its end left behind. */
export interface Replayed {
  readonly sha256: string
  readonly lines: readonly string[]
  readonly state: Record<string, string>
  readonly elapsedMs: number
}

export interface Verdict {
  readonly kills: number
  /** Scores of the unbroken run that are missing, and scores that are there more than once. */
  readonly lost: number
  readonly doubled: number
  readonly outputsEqual: boolean
  readonly stateEqual: boolean
}

/** One call of `rheo replay fraud` on `directory`; killed after `killAfterMs` unless it ended before. */
async function callReplay(stream: KilledStream, directory: string, more: { until?: string; killAfterMs?: number }) {
  const { payments, days, seed } = stream
  const size = ['--payments', String(payments), '--days', String(days), '--seed', String(seed), '--slice', '15m']
  const files = ['--state', directory, '--output', join(directory, 'scores.ndjson'), '--json']
  const until = more.until === undefined ? [] : ['--until', more.until]
  const startedMs = performance.now()
  const child = spawn(process.execPath, [main, 'replay', 'fraud', ...size, ...files, ...until])
  const timer = more.killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), more.killAfterMs)
  let errors = ''
  let summary = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => (summary += chunk.toString()))
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the replay ended with ${code}: ${errors}`)
  return { isKilled: signal === 'SIGKILL', summary, elapsedMs: performance.now() - startedMs }
}

async function resultOf(directory: string, summary: string, elapsedMs: number): Promise<Replayed> {
  const { outputSha256 } = JSON.parse(summary) as { outputSha256: string }
  const lines = readFileSync(join(directory, 'scores.ndjson'), 'utf8').split('\n').slice(0, -1)
  const store = openSqliteStateStore(join(directory, 'state.sqlite'))
  const state = await storedState(store)
  await store.close()
  return { sha256: outputSha256, lines, state, elapsedMs }
}

/** The run that nothing interrupts: the measure of the others. */
export async function replayUnbroken(stream: KilledStream, directory: string): Promise<Replayed> {
  mkdirSync(directory)
  const { summary, elapsedMs } = await callReplay(stream, directory, {})
  return resultOf(directory, summary, elapsedMs)
}

/**
 * One replay in a fresh folder, killed up to `maxKills` times at random moments and called again until it
 * ends. Every other time an earlier call went to a random day and ended there, so that the state store already stands
 * behind the start.
 */
export async function replayKilled(
  stream: KilledStream,
  unbroken: Replayed,
  directory: string,
  random: Random,
  maxKills: number,
): Promise<Verdict> {
  mkdirSync(directory)
  try {
    if (random.chance(0.5)) {
      const day = new Date(Date.UTC(2026, 0, 2 + random.below(stream.days - 1)))
      await callReplay(stream, directory, { until: day.toISOString() })
    }
    for (let kills = 0; ; ) {
      const killAfterMs = random.float() * LATEST_KILL * unbroken.elapsedMs
      const { isKilled, summary, elapsedMs } = await callReplay(
        stream,
        directory,
        kills < maxKills ? { killAfterMs } : {},
      )
      if (isKilled) kills++
      else return verdict(kills, unbroken, await resultOf(directory, summary, elapsedMs))
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function verdict(kills: number, unbroken: Replayed, killed: Replayed): Verdict {
  const idOf = (line: string): string => (JSON.parse(line) as { paymentId: string }).paymentId
  const ids = new Set(killed.lines.map(idOf))
  return {
    kills,
    lost: unbroken.lines.filter((line) => !ids.has(idOf(line))).length,
    doubled: killed.lines.length - ids.size,
    outputsEqual: killed.sha256 === unbroken.sha256,
    stateEqual: JSON.stringify(sorted(killed.state)) === JSON.stringify(sorted(unbroken.state)),
  }
}

function sorted(state: Record<string, string>): [string, string][] {
  return Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))
}
