import pino, { type Logger } from 'pino'
import type { Settings } from './setting-list.ts'
import { safe, styledError } from './terminal.ts'

/** What a worker writes its log to: one line an event. */
export type WorkerLog = Logger

const LEVELS: Readonly<Record<number, readonly [name: string, style: 'dim' | 'green' | 'yellow' | 'red']>> = {
  20: ['debug', 'dim'],
  30: ['info', 'green'],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
}

/** On stderr: JSON for programs, or single lines for people, which is what a terminal gets by default. */
export function createWorkerLog({ logFormat, logLevel }: Pick<Settings, 'logFormat' | 'logLevel'>): WorkerLog {
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stderr.isTTY === true)
  // Written at once: the last lines before the end are the ones that matter.
  const lines = isPretty
    ? { write: (line: string) => void process.stderr.write(`${prettyLine(line)}\n`) }
    : pino.destination({ dest: 2, sync: true })
  return pino({ level: logLevel, timestamp: pino.stdTimeFunctions.isoTime }, lines)
}

/** `08:00:00.123 info  tasks run  tasks=0,1,2`. */
export function prettyLine(line: string): string {
  const { level, time, msg, pid, hostname, err, ...more } = JSON.parse(line) as Record<string, unknown>
  const [name, style] = LEVELS[Number(level)] ?? ['log', 'dim']
  const fields = Object.entries(more).map(([key, value]) => `${key}=${shown(value)}`)
  const cause = err === undefined ? [] : [causeOf(err as { readonly message?: string; readonly stack?: string })]
  const text = [String(time).slice(11, 23), styledError(style, name.padEnd(5)), safe(String(msg ?? ''))].join(' ')
  return [text, ...fields.map((field) => styledError('dim', safe(field))), ...cause].join('  ')
}

function causeOf({ message, stack }: { readonly message?: string; readonly stack?: string }): string {
  return safe(message ?? stack ?? '')
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(',')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
