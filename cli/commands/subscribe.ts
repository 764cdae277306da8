import { type Command, InvalidArgumentError } from 'commander'
import type { EventLog } from '../../streams/event-log/event-log.ts'
import { openLog, openRegistry } from '../connections.ts'
import { durationMs, momentMs, wholeNumber } from '../options.ts'
import { addPlaceOptions, type PlaceOptions, placeOf } from '../place.ts'
import type { RecordView } from '../record-view.ts'
import { print, printJson, safe, styled } from '../terminal.ts'

interface Options extends PlaceOptions {
  readonly since?: number
  readonly filter?: string
  readonly limit?: number
  readonly follow: boolean
  readonly json?: boolean
}

const help = `
Shows the newest ten records of all partitions and every new one, until Ctrl-C. Topics: payments, labels, scores,
outcomes; side topics (payments.dlq, payments.late); what flows between stages (stage-score), unpacked.

--since takes a span before now (10m, 7d), a time (2026-01-02T08:00:00Z) or \`start\`; it goes by the records'
timestamps, which in a replay are the replayed ones. --filter compares fields: == != < <= > >= ~ (contains), joined by
&& || ! and parentheses. --json prints one JSON document a line, one line an event.

Examples:
  rheo subscribe scores --filter 'decision == "block" && probability > 0.9'
  rheo subscribe scores --since start --no-follow --json --state .rheo/demo | jq .event.paymentId
  rheo subscribe stage-score --limit 5`

export function define(command: Command): void {
  addPlaceOptions(command.argument('<topic>', 'e.g. scores'))
    .option('--since <when>', 'from then on, rather than the last ten', sinceMs)
    .option('--filter <expression>', 'only events that pass')
    .option('--limit <n>', 'end after so many events', wholeNumber)
    .option('--no-follow', 'end where the topic ends now')
    .option('--json', 'one JSON document a line')
    .addHelpText('after', help)
    .action(subscribe)
}

/** Milliseconds since 1970; -Infinity for the start. */
function sinceMs(text: string): number {
  if (text === 'start') return Number.NEGATIVE_INFINITY
  try {
    return /^\d+(\.\d+)?\s*[a-z]+$/.test(text) ? Date.now() - durationMs(text) : momentMs(text)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new InvalidArgumentError('It should be a span (10m), a time (2026-01-02T08:00:00Z) or `start`.')
  }
}

const LAST = 10

async function subscribe(name: string, options: Options): Promise<void> {
  const place = placeOf(options)
  const { compileFilter } = await import('../filter.ts')
  const passes = options.filter === undefined ? () => true : compileFilter(options.filter)
  const log = await openLog(place)
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  try {
    const { topicInLog } = await import('../log-topics.ts')
    const { viewerOf } = await import('../record-view.ts')
    const { follow, lastRecords } = await import('../read-partitions.ts')
    const topic = await topicInLog(log, place.scenario, name)
    const view = viewerOf(topic.name, place.scenario, await openRegistry(place))
    const { records, ends } =
      options.since === undefined
        ? await lastRecords(log, topic.name, topic.partitions, LAST)
        : { records: [], ends: await positionsSince(log, topic.name, topic.partitions, options.since) }
    const later = follow(log, topic.name, ends, options.follow ? 'never' : 'at-end', stop.signal)
    let shown = 0
    for await (const placed of chained(records, later)) {
      for (const each of await view(placed)) {
        if (!passes(each.event)) continue
        if (options.json) printJson(each)
        else print(viewLine(each))
        if (++shown === options.limit) return
      }
    }
  } finally {
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
    await log.close()
  }
}

async function* chained<T>(first: Iterable<T>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield* first
  yield* rest
}

async function positionsSince(
  log: EventLog,
  topic: string,
  partitions: number,
  sinceMs: number,
): Promise<readonly bigint[]> {
  return Promise.all(
    Array.from({ length: partitions }, async (_, partition) =>
      sinceMs === Number.NEGATIVE_INFINITY
        ? (await log.bounds(topic, partition)).start
        : log.offsetAt(topic, partition, sinceMs),
    ),
  )
}

/** `2026-01-02 08:00:00.123  0:42  p1  {"paymentId":"p1",…}`, event content made safe for the terminal. */
function viewLine(view: RecordView): string {
  const time = new Date(view.timestampMs).toISOString().replace('T', ' ').slice(0, 23)
  const event =
    view.rejected === undefined ? JSON.stringify(view.event) : `${view.rejected.code}: ${view.rejected.reason}`
  const at = `${time}  ${view.partition}:${view.offset}`
  const kind = view.kind.startsWith('$') ? ` ${view.kind}` : ''
  return `${styled('dim', at)}${kind}  ${styled('cyan', safe(view.key ?? '–'))}  ${safe(event)}`
}
