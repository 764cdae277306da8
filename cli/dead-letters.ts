import { RheoError } from '../schemas/errors.ts'
import { fromDeadLetter } from '../streams/dead-letter.ts'
import type { EventLog, NewRecord, TopicSpec } from '../streams/event-log/event-log.ts'
import { headerText } from '../streams/event-log/headers.ts'
import type { DlqOptions } from './commands/dlq.ts'
import { openLog } from './connections.ts'
import { shortName, topicInLog } from './log-topics.ts'
import { placeOf } from './place.ts'
import { readPartition, readTopic, valueBytes } from './read-partitions.ts'
import { grouped, print, printJson, safe, styled, table } from './terminal.ts'

/** The consumer group whose positions say how far the letters of a topic have been retried. */
export const RETRY_GROUP = 'rheo-dlq-retry'
/** Records per transaction while retrying. */
const RETRY_BATCH = 500

interface Listed {
  readonly topic: string
  readonly position: string
  readonly code: string
  readonly reason: string
  readonly timestampMs: number
}

/** `rheo dlq ls`. */
export async function listDeadLetters(name: string | undefined, options: DlqOptions): Promise<void> {
  await withTopics(name, options, async (log, topics, scenario) => {
    const counts = new Map<string, { topic: string; code: string; letters: number; retried: number }>()
    const newest: Listed[] = []
    for (const { name: topic, partitions } of topics) {
      const retried = await retryPositions(log, topic, partitions)
      for await (const { partition, record } of readTopic(log, topic, partitions)) {
        const origin = fromDeadLetter(record)?.origin
        const code = origin?.code ?? 'UNKNOWN'
        const short = shortName(scenario, topic).replace(/\.dlq$/, '')
        const row = counts.get(`${topic} ${code}`) ?? { topic: short, code, letters: 0, retried: 0 }
        counts.set(`${topic} ${code}`, row)
        row.letters++
        if (record.offset < retried[partition]!) row.retried++
        const { timestampMs } = record
        newest.push({
          topic: short,
          position: `${partition}:${record.offset}`,
          code,
          reason: origin?.reason ?? '',
          timestampMs,
        })
        if (newest.length > options.limit) newest.shift()
      }
    }
    const rows = [...counts.values()]
    if (options.json) return printJson({ counts: rows, newest })
    if (rows.length === 0) return print('No dead letters.')
    print(
      table(
        ['topic', 'reason', 'letters', 'retried'],
        rows.map((row) => [row.topic, row.code, row.letters, row.retried]),
      ),
    )
    print('')
    print(
      table(
        ['topic', 'position', 'reason', ''],
        newest.map((each) => [each.topic, each.position, each.code, each.reason]),
      ),
    )
    print(`\nnext: rheo dlq show ${newest[0]!.topic} ${newest[0]!.position}`)
  })
}

/** `rheo dlq show`. Throws USAGE for a position that is none, OFFSET_OUT_OF_RANGE for one that holds no letter. */
export async function showDeadLetter(name: string, position: string, options: DlqOptions): Promise<void> {
  const match = /^(\d{1,9}):(\d{1,18})$/.exec(position)
  if (match === null) {
    throw new RheoError('USAGE', `"${position}" is no position`, {
      hint: 'Write partition:offset, e.g. 0:12; `rheo dlq ls` lists them.',
    })
  }
  const partition = Number(match[1])
  const offset = BigInt(match[2]!)
  await withTopics(name, options, async (log, [topic]) => {
    const missing = new RheoError('OFFSET_OUT_OF_RANGE', `there is no dead letter at ${position} of ${topic!.name}`, {
      hint: '`rheo dlq ls` lists those that are there.',
    })
    if (partition >= topic!.partitions) throw missing
    for await (const record of readPartition(log, topic!.name, partition, offset, offset + 1n)) {
      const bytes = Buffer.from(valueBytes(record) ?? [])
      const headers = Object.keys(record.headers).map(
        (header) => [header, headerText(record.headers, header) ?? ''] as const,
      )
      if (options.json) {
        const key = record.key === null ? null : Buffer.from(record.key).toString('utf8')
        return printJson({
          topic: topic!.name,
          partition,
          offset,
          timestampMs: record.timestampMs,
          key,
          headers: Object.fromEntries(headers),
          value: bytes.toString('base64'),
        })
      }
      for (const [header, value] of headers) print(`${styled('dim', safe(header))} ${safe(value)}`)
      print(`${styled('dim', 'timestamp')} ${new Date(record.timestampMs).toISOString()}`)
      print(`${styled('dim', 'bytes')} ${grouped(bytes.length)}`)
      return print(shownValue(bytes))
    }
    throw missing
  })
}

/** `rheo dlq retry`: originals and positions in one transaction, so each letter is retried once. */
export async function retryDeadLetters(name: string | undefined, options: DlqOptions): Promise<void> {
  await withTopics(name, options, async (log, topics, scenario) => {
    const results: { topic: string; retried: number; skipped: number }[] = []
    for (const topic of topics) {
      const counts = await retryTopic(log, topic, options.dryRun === true)
      results.push({ topic: shortName(scenario, topic.name).replace(/\.dlq$/, ''), ...counts })
    }
    if (options.json) return printJson({ dryRun: options.dryRun === true, topics: results })
    for (const { topic, retried, skipped } of results) {
      const verb = options.dryRun ? 'would be retried' : 'retried'
      print(
        `${topic}: ${grouped(retried)} ${verb}${skipped > 0 ? `, ${grouped(skipped)} without an origin left alone` : ''}`,
      )
    }
  })
}

async function retryTopic(log: EventLog, { name, partitions }: TopicSpec, isDryRun: boolean) {
  const counts = { retried: 0, skipped: 0 }
  const present = await log.topics()
  const writer = isDryRun ? null : await log.acquire(RETRY_GROUP, name)
  const from = await retryPositions(log, name, partitions)
  for (let partition = 0; partition < partitions; partition++) {
    const { start, end } = await log.bounds(name, partition)
    let next = from[partition]! > start ? from[partition]! : start
    while (next < end) {
      const fetched = await log.fetch(name, partition, next, { maxRecords: RETRY_BATCH, maxBytes: 16 * 1_048_576 })
      const boxes = new Map<string, { topic: string; partition: number; records: NewRecord[] }>()
      for (const letter of fetched.records) {
        const original = fromDeadLetter(letter)
        const target = original === undefined ? undefined : present.get(original.origin.topic)
        // A row that never was a record of its topic (a refused line of a file) has no key; it goes where it was meant to.
        if (original === undefined || target === undefined || original.origin.partition >= target.partitions) {
          counts.skipped++
          continue
        }
        const { topic, partition: origin } = original.origin
        const box = boxes.get(`${topic} ${origin}`) ?? { topic, partition: origin, records: [] }
        boxes.set(`${topic} ${origin}`, box)
        // Appended now: a record that was too far ahead of its time then may be in time now.
        box.records.push({ ...original.record, timestampMs: Math.max(original.record.timestampMs, Date.now()) })
        counts.retried++
      }
      if (fetched.next === next) break
      next = fetched.next
      await writer?.commit({ appends: [...boxes.values()], positions: [{ topic: name, partition, next }] })
    }
  }
  return counts
}

async function retryPositions(log: EventLog, topic: string, partitions: number): Promise<readonly bigint[]> {
  return Promise.all(
    Array.from(
      { length: partitions },
      async (_, partition) => (await log.committed(RETRY_GROUP, topic, partition)) ?? 0n,
    ),
  )
}

/** Runs `work` over the dead-letter topics of a log: that of one topic, or all that exist. */
async function withTopics(
  name: string | undefined,
  options: DlqOptions,
  work: (log: EventLog, topics: readonly TopicSpec[], scenario: string) => Promise<void>,
): Promise<void> {
  const place = placeOf(options)
  const log = await openLog(place)
  try {
    const all = [...(await log.topics()).values()].filter((topic) => topic.name.endsWith('.dlq'))
    const topics =
      name === undefined ? all : [await topicInLog(log, place.scenario, `${name.replace(/\.dlq$/, '')}.dlq`)]
    await work(log, topics, place.scenario)
  } finally {
    await log.close()
  }
}

/** Text as it is, made safe; other bytes in hexadecimal. At most 4 KiB. */
function shownValue(bytes: Buffer): string {
  const part = bytes.subarray(0, 4096)
  const isText = !part.includes(0) && !part.toString('utf8').includes('\ufffd')
  const text = isText
    ? safe(part.toString('utf8'))
    : (part
        .toString('hex')
        .match(/.{1,64}/g)
        ?.join('\n') ?? '')
  return part.length < bytes.length ? `${text}\n… (--json has all of it)` : text
}
