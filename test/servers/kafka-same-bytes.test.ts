import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import type { Appends, EventLog, LogRecord, NewRecord } from '../../streams/event-log/event-log.ts'
import { createMemoryLog } from '../../streams/event-log/memory.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'
import { partitionOf } from '../../streams/partition.ts'
import { runLive } from '../../streams/run-live.ts'
import { Task } from '../../streams/run-task.ts'
import { createMemoryStateStore } from '../../streams/state/memory.ts'
import { bytesOf, readAll } from '../event-log/harness.ts'
import { spoiledStream } from '../streams/fraud-stream.ts'
import { needBroker, openTestLog, prefixed, uniqueName } from './kafka-broker.ts'

const PARTITIONS = 3
const NOW_MS = Date.UTC(2026, 5, 1)
const topology = fraud.topology(PARTITIONS)
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
const outputs = [
  ...topology.outputs.map(({ topic }) => topic),
  ...topology.sources.flatMap(({ dlqTopic, lateTopic }) => [dlqTopic, lateTopic]),
]

/** Payments and labels as a user's producers would send them; doubled, late, future and broken ones among them. */
function appendsOf(payments: number): Appends[] {
  const appends = new Map<string, Appends & { readonly records: NewRecord[] }>()
  for (const { atMs, topic, key, value, headers } of spoiledStream(payments, 20).admissions) {
    const partition = key === null ? 0 : partitionOf(key, PARTITIONS)
    const id = `${topic}/${partition}`
    const append = appends.get(id) ?? { topic, partition, records: [] }
    appends.set(id, append)
    append.records.push({
      key: key === null ? null : Buffer.from(key),
      value,
      timestampMs: atMs,
      ...(headers === undefined ? {} : { headers }),
    })
  }
  return [...appends.values()]
}

/** Key and value of each record, as text that can be compared. */
const contents = (records: readonly Pick<LogRecord, 'key' | 'value'>[]): string[] =>
  records.map(({ key, value }) => {
    const bytes = bytesOf(value)
    return `${key === null ? '' : Buffer.from(key)} ${bytes === null ? 'tombstone' : Buffer.from(bytes).toString('hex')}`
  })

/** Every record of the topics, by topic and partition. */
async function exported(log: EventLog, topics: readonly string[]): Promise<Map<string, LogRecord[]>> {
  const specs = await log.topics()
  const found = new Map<string, LogRecord[]>()
  for (const topic of topics) {
    for (let partition = 0; partition < specs.get(topic)!.partitions; partition++) {
      found.set(`${topic}/${partition}`, await readAll(log, topic, partition))
    }
  }
  return found
}

/** The scenario runs on Kafka until everything is scored; what its tasks would drop stays, to be exported. */
async function runOnKafka(log: EventLog, commits: 'as one' | 'apart'): Promise<void> {
  const { unite, ...apart } = { ...log, truncate: () => undefined }
  const kept: EventLog = commits === 'as one' && unite !== undefined ? { ...apart, unite } : apart
  const stop = new AbortController()
  let quietPasses = 0
  await runLive({
    topology,
    log: kept,
    store: createMemoryStateStore(),
    commitPer: 'round',
    signal: stop.signal,
    clock: () => NOW_MS,
    batchRecords: 400,
    onPass({ folded }) {
      quietPasses = folded === 0 ? quietPasses + 1 : 0
      if (quietPasses === 50) stop.abort()
    },
  })
}

/**
 * Each stage alone, on a log that holds its repartition topic and nothing else. Returns what it appended to outputs, by
 * topic and partition, task after task.
 */
async function foldStages(
  open: () => EventLog,
  repartition: ReadonlyMap<string, readonly LogRecord[]>,
): Promise<Map<string, string[][]>> {
  const appended = new Map<string, string[][]>()
  for (const [index, stage] of topology.stages.entries()) {
    for (const partition of stage.tasks === 'first' ? [0] : partitions) {
      const log = open()
      await log.ensureTopics(topology.topics)
      const records = repartition.get(`${stage.topic}/${partition}`)!.map(({ key, value, headers, timestampMs }) => ({
        key,
        value: bytesOf(value),
        headers,
        timestampMs,
      }))
      const task = await Task.start(topology, partition, log, null, {
        clock: () => NOW_MS,
        batchRecords: 1_000,
        pending: null,
      })
      await log.append([{ topic: stage.topic, partition, records }])
      while ((await task.turn(index + 1)) > 0);
      for (const [id, found] of await exported(log, outputs)) {
        if (found.length > 0) appended.set(id, [...(appended.get(id) ?? []), contents(found)])
      }
      await log.close()
    }
  }
  return appended
}

/** Whether `part` comes in `whole` in the same order. */
function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const each of whole) if (each === part[at]) at += 1
  return at === part.length
}

describe.each(['as one', 'apart'] as const)(
  'the repartition topics of a run on Kafka, its tasks committing %s,',
  (commits) => {
    const log = prefixed(openTestLog(), uniqueName())
    let stages: Map<string, LogRecord[]>
    let results: Map<string, string[]>
    let sent = 0

    beforeAll(async () => {
      await needBroker()
      await log.ensureTopics(topology.topics)
      const appends = appendsOf(3_000)
      sent = appends
        .filter(({ topic }) => topic === topology.sources[0]!.topic)
        .reduce((sum, { records }) => sum + records.length, 0)
      await log.append(appends)
      await runOnKafka(log, commits)
      stages = await exported(log, [...new Set(topology.stages.map(({ topic }) => topic))])
      results = new Map([...(await exported(log, outputs))].map(([id, records]) => [id, contents(records)]))
    })
    afterAll(() => log.close())

    const scoresOf = (found: ReadonlyMap<string, readonly string[]>) =>
      partitions.reduce(
        (sum, partition) => sum + (found.get(`${fraud.scores.topic.name}/${partition}`)?.length ?? 0),
        0,
      )

    const sameOn = async (open: () => EventLog): Promise<void> => {
      const folded = await foldStages(open, stages)
      for (const topic of topology.outputs.map((output) => output.topic)) {
        for (const partition of partitions) {
          const id = `${topic}/${partition}`
          const parts = folded.get(id) ?? []
          const onKafka = results.get(id)!
          expect(parts.flat().sort()).toEqual([...onKafka].sort())
          expect(parts.every((part) => isWithin(part, onKafka))).toBe(true)
        }
      }
    }

    test('hold enough to tell something', () => {
      expect(sent).toBeGreaterThan(3_000)
      expect(scoresOf(results)).toBeGreaterThan(2_500)
      for (const records of stages.values()) expect(records.length).toBeGreaterThan(0)
    })

    test('give the same bytes when folded from the log in memory', () => sameOn(createMemoryLog))

    test('give the same bytes when folded from SQLite', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'rheo-bytes-'))
      let count = 0
      await sameOn(() => openSqliteLog(join(directory, `${count++}.db`)))
      rmSync(directory, { recursive: true })
    })
  },
)
