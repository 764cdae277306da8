import { RheoError } from '../schemas/errors.ts'
import { dlqTopic, lateTopic } from '../schemas/topics.ts'
import type { EventLog } from '../streams/event-log/event-log.ts'
import type { Counts } from '../streams/outbox.ts'
import type { Scenario } from './define-scenario.ts'

/** Counters that go on over all inputs of a log, in the order of their partitions on the input's topic. */
const COUNTED = ['rejected', 'deleted', 'duplicates'] as const
/** Partitions that the topic of an input's positions has. */
export const INPUT_PARTITIONS = COUNTED.length

export type InputCounts = Readonly<Record<(typeof COUNTED)[number], number>>

/** What of a log belongs to one input, when several inputs are replayed into it one after the other. */
export interface Extent {
  /** Where each topic begins for this input. */
  readonly starts: ReadonlyMap<string, bigint>
  /** Where each topic ends for this input; null: it is the last input, so at the topics' ends. */
  readonly ends: ReadonlyMap<string, bigint> | null
  /** Records of a topic that belong to the input. */
  size(topic: string): Promise<number>
  /** Of the scored events' topic, from this input alone. */
  counted(counts: Counts): InputCounts
  /** The input has been read whole: what comes now belongs to others. */
  close(counts: Counts): Promise<void>
}

/**
 * Finds what belongs to an input, or begins it. Its bounds are kept as positions of consumer groups, so an input called
 * again, even after others, gives its own outputs and counts.
 *
 * Throws USAGE where the input was interrupted and another one came after it: both would be mixed.
 *
 * @param inputId 12 hexadecimal digits
 * @param inputTopic has INPUT_PARTITIONS partitions
 * @param counts as they stand before the input goes on
 */
export async function openExtent(
  log: EventLog,
  scenario: Scenario,
  inputId: string,
  inputTopic: string,
  counts: Counts,
): Promise<Extent> {
  const { kind, topic: main } = scenario.event
  const now = countsOf(counts, kind)
  const topics = topicsOf(scenario)
  const begun = await readBounds(log, `rheo-start-${inputTopic}`, topics, inputTopic)
  const ended = await readBounds(log, `rheo-end-${inputTopic}`, topics, inputTopic)
  const last = await log.acquire('rheo-last-input', main.name)
  const own = BigInt(`0x${inputId}`)
  const isLast = (await last.committed(main.name, 0)) === own
  if (begun !== null && ended === null && !isLast) {
    throw new RheoError(
      'USAGE',
      'this replay was interrupted, and another input was replayed into the same folder since',
      {
        hint: 'The two cannot be told apart any more: begin again with an empty folder.',
      },
    )
  }
  const bounds = begun ?? { positions: await endsOf(log, topics), counts: now }
  if (begun === null) await writeBounds(log, `rheo-start-${inputTopic}`, bounds, inputTopic)
  const isClosed = ended !== null && !isLast
  if (!isClosed) await last.commit({ appends: [], positions: [{ topic: main.name, partition: 0, next: own }] })
  const ends = isClosed ? ended.positions : null
  return {
    starts: bounds.positions,
    ends,
    async size(topic) {
      const end = ends?.get(topic) ?? (await log.bounds(topic, 0)).end
      return Number(end - (bounds.positions.get(topic) ?? 0n))
    },
    counted(current) {
      const after = isClosed ? ended.counts : countsOf(current, kind)
      return {
        rejected: after.rejected - bounds.counts.rejected,
        deleted: after.deleted - bounds.counts.deleted,
        duplicates: after.duplicates - bounds.counts.duplicates,
      }
    },
    async close(current) {
      if (isClosed) return
      const closed = { positions: await endsOf(log, topics), counts: countsOf(current, kind) }
      await writeBounds(log, `rheo-end-${inputTopic}`, closed, inputTopic)
    },
  }
}

interface Bounds {
  readonly positions: ReadonlyMap<string, bigint>
  readonly counts: InputCounts
}

function topicsOf({ event, label, scores, outcomes }: Scenario): readonly string[] {
  const inputs = [event.topic.name, label.topic.name]
  const side = inputs.flatMap((name) => [name, dlqTopic(name), lateTopic(name)])
  return [scores.topic.name, outcomes.topic.name, ...side]
}

function countsOf(counts: Counts, kind: string): InputCounts {
  const of = (name: string): number => counts[`${name}.${kind}`] ?? 0
  return { rejected: of('rejected'), deleted: of('deleted'), duplicates: of('duplicates') }
}

async function endsOf(log: EventLog, topics: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  const ends = new Map<string, bigint>()
  for (const topic of topics) ends.set(topic, (await log.bounds(topic, 0)).end)
  return ends
}

async function readBounds(
  log: EventLog,
  group: string,
  topics: readonly string[],
  inputTopic: string,
): Promise<Bounds | null> {
  const positions = new Map<string, bigint>()
  for (const topic of topics) {
    const position = await log.committed(group, topic, 0)
    if (position === undefined) return null
    positions.set(topic, position)
  }
  const [rejected, deleted, duplicates] = await Promise.all(
    COUNTED.map(async (_, partition) => Number((await log.committed(group, inputTopic, partition)) ?? 0n)),
  )
  return { positions, counts: { rejected: rejected!, deleted: deleted!, duplicates: duplicates! } }
}

async function writeBounds(log: EventLog, group: string, { positions, counts }: Bounds, inputTopic: string) {
  const writer = await log.acquire(group, 'bounds')
  const topics = [...positions].map(([topic, next]) => ({ topic, partition: 0, next }))
  const counters = COUNTED.map((name, partition) => ({ topic: inputTopic, partition, next: BigInt(counts[name]) }))
  await writer.commit({ appends: [], positions: [...topics, ...counters] })
}
