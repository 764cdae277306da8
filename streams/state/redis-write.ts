import type { RedisArgument } from './redis-connection.ts'
import type { StatePart, StatePut } from './state-store.ts'

/** What one script call takes at most, so that Redis is never held up for long: about 2 ms. */
const MOST_KEYS = 500
const MOST_BYTES = 1 << 20

/** Where the clock hand of each table stands; '0': at the beginning. */
export type Hands = Map<string, string>

/** Cuts a part into parts that a script may take at once, deletes first. At least one, in order. */
export function* slicesOf(part: StatePart): Generator<StatePart, undefined> {
  const { watermarkMs, deletes } = part
  if (deletes.length + part.puts.length <= MOST_KEYS && bytesOf(part.puts) <= MOST_BYTES) {
    yield part
    return
  }
  for (let first = 0; first < deletes.length; first += MOST_KEYS) {
    yield { deletes: deletes.slice(first, first + MOST_KEYS), puts: [], watermarkMs }
  }
  let puts: StatePut[] = []
  let bytes = 0
  for (const put of part.puts) {
    puts.push(put)
    bytes += put.value.byteLength
    if (puts.length < MOST_KEYS && bytes < MOST_BYTES) continue
    yield { deletes: [], puts, watermarkMs }
    puts = []
    bytes = 0
  }
  if (puts.length > 0) yield { deletes: [], puts, watermarkMs }
}

/**
 * The tables of a slice as arguments of `writeScript`, and their names in that order. `sweeps`: whether the clock hand of a
 * table has anything to look for.
 */
export function tableArguments(
  { deletes, puts }: StatePart,
  hands: Hands,
  sweeps: (table: string) => boolean,
): { readonly tables: readonly string[]; readonly args: readonly RedisArgument[] } {
  const byTable = new Map<string, { readonly deleted: string[]; readonly put: RedisArgument[] }>()
  const changesOf = (table: string) => {
    let changes = byTable.get(table)
    if (changes === undefined) {
      changes = { deleted: [], put: [] }
      byTable.set(table, changes)
    }
    return changes
  }
  for (const { table, key } of deletes) changesOf(table).deleted.push(key)
  for (const put of puts) changesOf(put.table).put.push(put.key, storedValue(put))
  const args: RedisArgument[] = []
  for (const [table, { deleted, put }] of byTable) {
    args.push(table, deleted.length, put.length / 2, sweeps(table) ? 'sweep' : '', hands.get(table) ?? '0')
    for (const key of deleted) args.push(key)
    for (const argument of put) args.push(argument)
  }
  return { tables: [...byTable.keys()], args }
}

/** The readable features of a slice as arguments of `featuresScript`; none: []. */
export function featureArguments(puts: readonly StatePut[]): readonly RedisArgument[] {
  const byTable = new Map<string, { readonly names: readonly string[]; readonly entities: string[] }>()
  for (const { table, key, features } of puts) {
    if (features === undefined) continue
    let shown = byTable.get(table)
    if (shown === undefined) {
      shown = { names: features.names, entities: [] }
      byTable.set(table, shown)
    }
    shown.entities.push(key, features.values.join(','))
  }
  return [...byTable].flatMap(([table, { names, entities }]) => [
    table,
    names.length,
    entities.length / 2,
    ...names,
    ...entities,
  ])
}

function storedValue({ value, expiresAtMs }: StatePut): Buffer {
  const stored = Buffer.allocUnsafe(8 + value.byteLength)
  stored.writeDoubleBE(expiresAtMs ?? Number.POSITIVE_INFINITY, 0)
  stored.set(value, 8)
  return stored
}

/** The value in what Redis has stored, as bytes of its own: an answer is cut from a larger buffer, at any alignment. */
export function readValue(stored: Buffer): Uint8Array {
  return Uint8Array.prototype.slice.call(stored, 8)
}

/** The field of a key in the undo hash. */
export function undoField(table: string, key: string): string {
  return `${Buffer.byteLength(table)}:${table}${key}`
}

function bytesOf(puts: readonly StatePut[]): number {
  return puts.reduce((sum, put) => sum + put.value.byteLength, 0)
}
