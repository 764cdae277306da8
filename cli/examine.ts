import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { RheoError } from '../schemas/errors.ts'
import type { Place } from './place.ts'
import { scenarioOf } from './scenario-argument.ts'
import type { Settings } from './setting-list.ts'
import { shownBytes } from './terminal.ts'

export interface Finding {
  readonly check: string
  readonly result: 'ok' | 'warning' | 'failed'
  readonly found: string
  /** What to do; null when nothing is wrong. */
  readonly cure: string | null
}

const GIB = 1024 ** 3
/** The demo's log, state and scores take about 0.5 GiB. */
const ENOUGH_DISK_BYTES = 2 * GIB
/** A replay with all features peaks below 1.5 GiB. */
const ENOUGH_MEMORY_BYTES = 1.5 * GIB

/**
 * Looks at all that Rheo needs on this machine, and at the servers that the settings name. What goes wrong is a finding.
 * Throws USAGE for a scenario that does not exist. Leaves nothing behind on this machine.
 */
export async function examine(place: Place): Promise<readonly Finding[]> {
  const { serverChecks } = await import('./examine-servers.ts')
  const { kafka, redis } = place.settings
  const checks: readonly (readonly [string, () => Finding | Promise<Finding | readonly Finding[]>])[] = [
    ['Node', node],
    ['SQLite', sqlite],
    ['folder', () => folder(place.directory)],
    ['disk', () => disk(place.directory)],
    ['memory', memory],
    ['schemas', schemas],
    ...(kafka === null ? [['event log', () => file(place.directory, 'log.sqlite')] as const] : []),
    ...(redis === null && kafka === null
      ? [['state store', () => file(place.directory, 'state.sqlite')] as const]
      : []),
    ['inference', inference],
    ['provider', () => provider(place.settings.provider)],
    ...serverChecks(place, await scenarioOf(place.scenario)),
  ]
  const findings: Finding[] = []
  for (const [check, look] of checks) {
    try {
      findings.push(...[await look()].flat())
    } catch (error) {
      const cure =
        error instanceof RheoError ? (error.hint ?? null) : 'Run `npm ci` again; if that does not help, report this.'
      const found = error instanceof Error ? error.message : String(error)
      findings.push({ check, result: 'failed', found, cure })
    }
  }
  return findings
}

function ok(check: string, found: string): Finding {
  return { check, result: 'ok', found, cure: null }
}

function node(): Finding {
  const found = `${process.versions.node}, ${availableParallelism()} cores`
  if (Number(process.versions.node.split('.')[0]) >= 24) return ok('Node', found)
  return {
    check: 'Node',
    result: 'failed',
    found,
    cure: 'Install Node 24: `npm install node@24`, or https://nodejs.org.',
  }
}

async function sqlite(): Promise<Finding> {
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(':memory:')
  const [row] = db.prepare('SELECT sqlite_version() AS version').all()
  db.close()
  return ok('SQLite', String(row?.['version']))
}

/** The nearest folder above that exists. */
function existing(directory: string): string {
  let path = resolve(directory)
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path)
  return path
}

function folder(directory: string): Finding {
  const path = existing(directory)
  const isNew = path !== resolve(directory)
  try {
    const probe = mkdtempSync(join(path, '.rheo-doctor-'))
    writeFileSync(join(probe, 'probe'), 'probe')
    rmSync(probe, { recursive: true })
    return ok('folder', `${directory}${isNew ? ' can be made' : ' is writable'}`)
  } catch (error) {
    const found = `${path} is not writable (${(error as NodeJS.ErrnoException).code})`
    return { check: 'folder', result: 'failed', found, cure: 'Choose another with --state, or mend its permissions.' }
  }
}

function disk(directory: string): Finding {
  const { bavail, bsize } = statfsSync(existing(directory))
  const free = bavail * bsize
  const found = `${shownBytes(free)} free`
  if (free >= ENOUGH_DISK_BYTES) return ok('disk', found)
  return {
    check: 'disk',
    result: 'warning',
    found,
    cure: `Free some space: ${shownBytes(ENOUGH_DISK_BYTES)} are enough for the demo.`,
  }
}

function memory(): Finding {
  const available = Math.min(freemem(), process.availableMemory())
  const found = `${shownBytes(available)} available of ${shownBytes(totalmem())}`
  if (available >= ENOUGH_MEMORY_BYTES) return ok('memory', found)
  return { check: 'memory', result: 'warning', found, cure: 'Close other programs, or replay fewer payments.' }
}

async function schemas(): Promise<Finding> {
  const { topics } = await import('../schemas/topics.ts')
  const { createLocalRegistry } = await import('../streams/codec/schema-registry.ts')
  const registry = createLocalRegistry()
  for (const { schema } of topics) registry.idOf(schema)
  return ok('schemas', `${topics.length} topics, every schema registered`)
}

async function file(directory: string, name: 'log.sqlite' | 'state.sqlite'): Promise<Finding> {
  const check = name === 'log.sqlite' ? 'event log' : 'state store'
  const path = join(directory, name)
  if (!existsSync(path)) return ok(check, `${path} is not there yet; the first run makes it`)
  if (name === 'state.sqlite') {
    const { openSqliteStateStore } = await import('../streams/state/sqlite.ts')
    await openSqliteStateStore(path, { busyTimeoutMs: 1000 }).close()
    return ok(check, `${path} opens`)
  }
  const { openSqliteLog } = await import('../streams/event-log/sqlite.ts')
  const log = openSqliteLog(path, { busyTimeoutMs: 1000 })
  const topics = await log.topics()
  await log.close()
  return ok(check, `${path} opens, ${topics.size} topics`)
}

async function inference(): Promise<Finding> {
  const { default: ort } = (await import('onnxruntime-node')) as {
    default: { env: { versions: { node?: string; common: string } } }
  }
  return ok('inference', `onnxruntime ${ort.env.versions.node ?? ort.env.versions.common}`)
}

/** Whether a model can run on what the settings ask for; throws the reason why not. With `auto`, on what it can choose among. */
async function provider(wanted: Settings['provider']): Promise<Finding> {
  const { chooseProvider } = await import('../gpu/provider-choice.ts')
  const { tryProvider } = await import('../gpu/try-provider.ts')
  const { findings, degraded } = await chooseProvider(wanted, tryProvider)
  if (degraded !== null) throw degraded
  if (wanted !== 'auto') return ok('provider', `${wanted} runs models`)
  const usable = findings.filter(({ kind }) => kind === 'measured').map((finding) => finding.provider)
  return ok('provider', `auto chooses the fastest of: ${usable.join(', ')}`)
}
