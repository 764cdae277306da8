import { randomUUID } from 'node:crypto'
import type { RheoError } from '../../schemas/errors.ts'
import { type RedisArgument, RedisConnection, type RedisConnectionOptions } from './redis-connection.ts'
import { fencedByAnother, lostByRedis, mustAcquireAgain } from './redis-failures.ts'
import { acquireScript, featuresScript, undoScript, type Verdict, writeScript } from './redis-scripts.ts'
import { featureArguments, type Hands, readValue, slicesOf, tableArguments, undoField } from './redis-write.ts'
import type { StatePart, StateStore, TaskState } from './state-store.ts'

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** What the keys start with; two installations on one Redis need two. Default: rheo. */
  readonly prefix?: string
  /** Whether each entity's current features are kept in a readable hash besides its state. Default: published. */
  readonly features?: 'published' | 'none'
}

/** Keys asked for at once, so that no single call holds Redis up. */
const KEYS_PER_READ = 1_000
/** Keys put back at once after a flush that never came to its end. */
const KEYS_PER_UNDO = 500

/**
 * The state store in Redis 7 or Redis Cluster; the layout of its keys is in docs/state-in-redis.md.
 *
 * - Staged parts are written in place, and what stood there before is kept in an undo hash until the flush, which has
 *   only to set positions and drop that hash: no script takes longer than its slice of at most 500 keys or 1 MiB.
 *   Whoever acquires the task meanwhile puts the former state back first. A larger flush is cut in the same way.
 * - Lost state is noticed by every read and every write of the holder (Redis emptied, or restarted without its last
 *   writes): STATE_UNAVAILABLE, retryable, and the next `acquire` gives the positions of what is really there.
 * - After a failed write, what came of it is unknown: only `acquire` goes on.
 * - Expiry costs O(1) per put: a clock hand per table looks at two entries a new key, in the same script.
 * - Keys are well-formed Unicode: a lone surrogate is stored as U+FFFD.
 * - Throws STATE_UNAVAILABLE (retryable), AUTH_FAILED, STORAGE_FULL, CONFIG_INVALID (eviction is on), FENCED.
 */
export async function openRedisStateStore(options: RedisStoreOptions): Promise<StateStore> {
  const connection = await RedisConnection.open(options)
  const { prefix = 'rheo', features = 'published' } = options
  const taskKey = (task: string): string => `${prefix}:{${task}}`
  return {
    acquire: (task) =>
      connection.ask(async () => {
        await connection.assertKeepsState()
        return acquireTask(connection, task, taskKey(task), features === 'published')
      }),
    peek: (task, table, key) =>
      connection.ask(async () => {
        const root = taskKey(task)
        const answers = await connection.client
          .multi()
          .hgetBuffer(`${root}:undo`, undoField(table, key))
          .hgetBuffer(`${root}:state:${table}`, key)
          .exec()
        const [before, stored] = (answers ?? []).map(([error, value]) => {
          if (error !== null) throw error
          return value as Buffer | null
        })
        const shown = before ?? stored ?? null
        return shown === null || shown.length === 0 ? undefined : readValue(shown)
      }),
    close: () => connection.close(),
  }
}

async function acquireTask(
  connection: RedisConnection,
  task: string,
  root: string,
  publishesFeatures: boolean,
): Promise<TaskState> {
  const { client } = connection
  const token = randomUUID()
  const epoch = Number(await connection.run(acquireScript, root, [token]))
  const positions = new Map<string, bigint>()
  const hands: Hands = new Map()
  /** Tables with states that expire: of the others nothing can be swept. */
  const expiring = new Set<string>()
  /** Writes sent, and writes answered: what Redis has counted lies in between. */
  let sent = 0
  let answered = 0
  /** Why no further write is possible; null: it is. */
  let failure: RheoError | null = null
  /** The watermark of the newest flush: the state it stands for cannot be asked for again. */
  let durableWatermarkMs = Number.NEGATIVE_INFINITY

  const accept = (verdict: Verdict): void => {
    if (verdict === 'fenced') {
      failure = fencedByAnother(task)
      throw failure
    }
    if (verdict === 'lost') throw lostByRedis(task)
  }

  /** Runs one of the holder's scripts. Its answer after the verdict, as texts. */
  const run = async (script: typeof writeScript, args: readonly RedisArgument[]): Promise<readonly string[]> => {
    const [verdict, ...rest] = ((await connection.run(script, root, [token, epoch, ...args])) as unknown[]).map(String)
    accept(verdict as Verdict)
    return rest
  }

  /** Asks, right behind a read, whether what it read was still this holder's own. */
  const checkKept = async (): Promise<void> => {
    const least = answered
    const most = sent
    const [heldToken, heldEpoch, seq] = await client.hmget(root, 'token', 'epoch', 'seq')
    if (heldToken == null) throw lostByRedis(task)
    if (heldToken !== token) throw Number(heldEpoch) >= epoch ? fencedByAnother(task) : lostByRedis(task)
    if (Number(seq) < least || Number(seq) > most) throw lostByRedis(task)
  }

  const write = async (
    kind: 'stage' | 'flush',
    slice: StatePart,
    written: ReadonlyMap<string, bigint>,
    watermarkMs: number,
  ): Promise<void> => {
    if (failure !== null) throw failure
    failure = mustAcquireAgain(task)
    const seq = ++sent
    for (const { table, expiresAtMs } of slice.puts) if (expiresAtMs !== null) expiring.add(table)
    const isTimed = Number.isFinite(watermarkMs)
    const { tables, args } = tableArguments(slice, hands, (table) => isTimed && expiring.has(table))
    const flat = [...written].flatMap(([topic, next]) => [topic, String(next)])
    const readable = publishesFeatures ? featureArguments(slice.puts) : []
    const [cursors] = await connection.ask(() =>
      Promise.all([
        run(writeScript, [
          seq,
          kind,
          publishesFeatures ? 'features' : '',
          Number.isFinite(watermarkMs) ? watermarkMs : 0,
          written.size,
          ...flat,
          ...args,
        ]),
        readable.length === 0 ? null : run(featuresScript, readable),
      ]),
    )
    for (const [i, cursor] of cursors.entries()) hands.set(tables[i]!, cursor)
    answered = seq
    failure = null
  }

  for (let left = 1; left > 0; ) left = Number((await run(undoScript, [KEYS_PER_UNDO]))[0])
  for (const [field, value] of Object.entries(await client.hgetall(root))) {
    if (field.startsWith('position:')) positions.set(field.slice('position:'.length), BigInt(value))
  }

  return {
    positions,
    ...(publishesFeatures ? { publishesFeatures: true as const } : {}),
    load: (table, keys) =>
      connection.ask(async () => {
        const reads: Promise<(Buffer | null)[]>[] = []
        for (let first = 0; first < keys.length; first += KEYS_PER_READ) {
          reads.push(client.hmgetBuffer(`${root}:state:${table}`, ...keys.slice(first, first + KEYS_PER_READ)))
        }
        if (reads.length === 0) return []
        const [, ...answers] = await Promise.all([checkKept(), ...reads])
        return answers.flat().map((stored) => (stored === null ? undefined : readValue(stored)))
      }),
    scan: (table) =>
      connection.ask(async () => {
        const found = new Map<string, Uint8Array>()
        let cursor = '0'
        do {
          const [next, entries] = await client.hscanBuffer(`${root}:state:${table}`, cursor, 'COUNT', KEYS_PER_READ)
          for (let i = 0; i < entries.length; i += 2) found.set(entries[i]!.toString(), readValue(entries[i + 1]!))
          cursor = next.toString()
        } while (cursor !== '0')
        await checkKept()
        return [...found]
      }),
    assertKept: () => connection.ask(checkKept),
    async stage(part) {
      for (const slice of slicesOf(part)) await write('stage', slice, NO_POSITIONS, durableWatermarkMs)
    },
    async flush(changes) {
      const slices = [...slicesOf(changes)]
      const last = slices.pop()!
      for (const slice of slices) await write('stage', slice, NO_POSITIONS, durableWatermarkMs)
      await write('flush', last, changes.positions, changes.watermarkMs)
      durableWatermarkMs = changes.watermarkMs
      for (const [topic, next] of changes.positions) positions.set(topic, next)
    },
  }
}

const NO_POSITIONS: ReadonlyMap<string, bigint> = new Map()
