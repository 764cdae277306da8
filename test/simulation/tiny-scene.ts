import type { Random } from '../../processors/random.ts'
import { withChangelog } from '../../streams/changelog.ts'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { partitionOf } from '../../streams/partition.ts'
import type { Scene, Sent } from './scene.ts'
import { type Order, saidAbout, type TinyScore, tinyTopics, tinyTopology } from './tiny-topology.ts'
import { recordsOf } from './twin.ts'

const START_MS = 1_000_000
/** Event time between two orders, on average; small beside grace, timers and expiry. */
const STEP_MS = 40

/** Orders and notes of few keys, out of order, some late, some sent twice, some no JSON at all. */
export function tinyScene(random: Random): Scene {
  const partitions = 1 + random.below(3)
  const batchRecords = [1, 3, 10, 100][random.below(4)]!
  const count = 20 + random.below(40)
  const sent: Sent[] = []
  const send = (topic: string, key: string, text: string, timestampMs: number): void => {
    const record = { key: Buffer.from(key), value: Buffer.from(text), timestampMs }
    const one = { topic, partition: partitionOf(key, partitions), record }
    sent.push(one)
    if (random.chance(0.1)) sent.splice(sent.length - random.below(Math.min(6, sent.length)), 0, one)
  }
  for (let i = 0; i < count; i++) {
    const nowMs = START_MS + i * STEP_MS
    const timeMs = nowMs - (random.chance(0.1) ? random.below(2_000) : random.below(200))
    const [a, b] = [`a${random.below(6)}`, `b${random.below(5)}`]
    if (random.chance(0.05)) send(tinyTopics.orders, a, `poison ${i}`, nowMs)
    else if (random.chance(0.15)) {
      const note = { b, timeMs, forget: random.chance(0.3) }
      send(tinyTopics.notes, b, JSON.stringify(note), nowMs)
    } else send(tinyTopics.orders, a, JSON.stringify({ id: `o${i}`, a, b, timeMs } satisfies Order), nowMs)
  }
  delayNotes(sent, random)
  const closing = closingOrders(partitions, START_MS + count * STEP_MS + 10_000)
  const topology = withChangelog(tinyTopology(partitions, random.chance(0.5) ? 'advances' : 'ignored'))
  const all = [...sent, ...closing]
  const cachedBytes = [1, 3_000, Number.POSITIVE_INFINITY][random.below(3)]!
  return { topology, batchRecords, cachedBytes, sent, closing, account: (log) => account(log, partitions, all) }
}

/** The notes' producer lags behind the orders', so that their merge by timestamp depends on what has come. */
function delayNotes(sent: Sent[], random: Random): void {
  for (let i = sent.length - 1; i >= 0; i--) {
    if (sent[i]!.topic !== tinyTopics.notes) continue
    const [note] = sent.splice(i, 1)
    sent.splice(Math.min(sent.length, i + random.below(10)), 0, note!)
  }
}

/** One last order per partition, far ahead, so that event time passes every timer but its own. */
function closingOrders(partitions: number, timeMs: number): Sent[] {
  const closing: Sent[] = []
  const open = new Set(Array.from({ length: partitions }, (_, partition) => partition))
  for (let i = 0; open.size > 0; i++) {
    const a = `end${i}`
    const partition = partitionOf(a, partitions)
    if (!open.delete(partition)) continue
    const value = Buffer.from(JSON.stringify({ id: a, a, b: a, timeMs } satisfies Order))
    closing.push({ topic: tinyTopics.orders, partition, record: { key: Buffer.from(a), value, timestampMs: timeMs } })
  }
  return closing
}

/** Lost 0, doubled 0, order per key kept: judged by ids and by the counts that every score carries. */
async function account(log: EventLog, partitions: number, sent: readonly Sent[]): Promise<string[]> {
  const wrong: string[] = []
  const read = async (topic: string): Promise<unknown[]> => {
    const found: unknown[] = []
    for (let partition = 0; partition < partitions; partition++) {
      for (const { value } of await recordsOf(log, topic, partition)) {
        const text = Buffer.from(value instanceof Uint8Array ? value : value!.bytes()).toString()
        found.push(text.startsWith('{') ? JSON.parse(text) : text)
      }
    }
    return found
  }
  const scores = (await read(tinyTopics.scores)) as TinyScore[]
  const late = new Set(((await read(`${tinyTopics.orders}.late`)) as Order[]).map(({ id }) => id))
  const letters = await read(`${tinyTopics.orders}.dlq`)
  const texts = sent
    .filter(({ topic }) => topic === tinyTopics.orders)
    .map(({ record }) => Buffer.from(record.value as Uint8Array).toString())
  const poison = texts.filter((text) => text.startsWith('poison'))
  const orders = texts.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as Order)

  if (letters.map(String).sort().join() !== poison.sort().join())
    wrong.push(`${letters.length} dead letters for ${poison.length} poison records`)
  const scored = new Map<string, number>()
  for (const { id } of scores) scored.set(id, (scored.get(id) ?? 0) + 1)
  for (const { id } of orders) {
    const times = scored.get(id) ?? 0
    if (times > 1) wrong.push(`order ${id} is doubled: ${times} scores`)
    if (times === 0 && !late.has(id)) wrong.push(`order ${id} is lost`)
  }
  for (const { id, version, said } of scores) {
    if (said !== saidAbout(id, version)) wrong.push(`the model said ${said} about order ${id} at version ${version}`)
  }
  for (const a of new Set(orders.map((order) => order.a))) {
    const arrived = [...new Set(orders.filter((order) => order.a === a).map(({ id }) => id))].filter((id) =>
      scored.has(id),
    )
    const counted = scores.filter((score) => score.a === a).sort((one, other) => one.countA - other.countA)
    if (counted.some(({ countA }, i) => countA !== i + 1)) wrong.push(`the counts of ${a} have holes or doubles`)
    if (counted.map(({ id }) => id).join() !== arrived.join()) wrong.push(`the orders of ${a} are out of order`)
  }
  for (const b of new Set(scores.map((score) => score.b))) {
    const counts = scores.filter((score) => score.b === b).map(({ countB }) => countB)
    if (counts.some((count, i) => count !== 1 && count !== (counts[i - 1] ?? 0) + 1))
      wrong.push(`the counts of ${b} jump: ${counts.join(' ')}`)
  }
  const outcomes = await read(tinyTopics.outcomes)
  if (outcomes.length !== scores.length - partitions)
    wrong.push(`${outcomes.length} outcomes for ${scores.length} scores, of which ${partitions} stay open`)
  return wrong
}
