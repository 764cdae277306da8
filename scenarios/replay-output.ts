import { statSync } from 'node:fs'
import { join } from 'node:path'
import { dlqTopic, lateTopic } from '../schemas/topics.ts'
import { fromDeadLetter } from '../streams/dead-letter.ts'
import type { EventLog, LogRecord } from '../streams/event-log/event-log.ts'
import { eventOf } from '../streams/event-value.ts'
import type { Scenario } from './define-scenario.ts'
import { evaluatedOutcome } from './evaluated-outcome.ts'
import { type EventLines, hashLines, openEventLines } from './event-lines.ts'
import type { EvaluationCollector } from './report/evaluation.ts'

const FETCH = { maxRecords: 10_000, maxBytes: 64 * 1_048_576 }

/** Reads what a replay appended to the output topics, into files and the evaluation. */
export interface ReplayOutput {
  /** Scores read so far. */
  readonly scores: number
  /** Reads on to the end of the topics. */
  read(): Promise<void>
  /** Ends the files; the SHA-256 of the scores' lines, null where they were not hashed. */
  close(): string | null
}

export interface ReplayOutputOptions {
  readonly log: EventLog
  readonly scenario: Scenario
  /** Where each topic begins for this input. */
  readonly starts: ReadonlyMap<string, bigint>
  /** Where each topic ends for this input; null: where it ends. */
  readonly ends: ReadonlyMap<string, bigint> | null
  /** A file for the scores; or a folder (an existing one, or a name that ends in `/`) for a file per output topic. */
  readonly output: string | null
  /** The scores' lines are hashed where they are written, or in any case. */
  readonly hash: 'of the files' | 'always'
  /** null: the scenario says nothing about how it is judged. */
  readonly evaluation: EvaluationCollector | null
  /** What was read need not stay in the log. */
  readonly afterwards: 'drop' | 'keep'
  readonly watch: OutputWatch | null
}

/** Is shown every score, then every outcome, of a stretch of the replay. */
export interface OutputWatch {
  score(event: object): void
  /** @param putOutMs processing time: in a replay, the end of the slice that it came from */
  outcome(event: object, putOutMs: number): void
}

export function openReplayOutput(options: ReplayOutputOptions): ReplayOutput {
  const { log, scenario, evaluation, afterwards, watch, ends } = options
  const topology = scenario.topology(1)
  const [scoreOutput, outcomeOutput] = topology.outputs
  const files = openFiles(options.output, options.hash)
  const next = new Map(options.starts)
  let scores = 0

  async function each(topic: string, take: (record: LogRecord) => void): Promise<number> {
    let count = 0
    for (;;) {
      const from = next.get(topic)!
      const end = ends?.get(topic) ?? null
      if (end !== null && from >= end) return count
      const fetched = await log.fetch(topic, 0, from, FETCH)
      const records = end === null ? fetched.records : fetched.records.filter(({ offset }) => offset < end)
      for (const record of records) take(record)
      count += records.length
      if (fetched.next === from) return count
      next.set(topic, fetched.next)
    }
  }

  async function readSideTopics(): Promise<void> {
    for (const { topic, codec } of topology.sources) {
      await each(dlqTopic(topic), (letter) => files?.deadLetters?.write(deadLetterLine(letter, topic)))
      await each(lateTopic(topic), ({ value }) => {
        const bytes = value === null || value instanceof Uint8Array ? value : value.bytes()
        files?.late?.write(codec.decode(bytes))
      })
    }
  }

  return {
    get scores() {
      return scores
    },
    async read() {
      const wanted = files !== null || watch !== null
      scores += await each(scoreOutput!.topic, ({ value }) => {
        if (!wanted) return
        const score = eventOf(value, scoreOutput!.codec)
        files?.scores.write(score)
        watch?.score(score)
      })
      await each(outcomeOutput!.topic, ({ value, timestampMs }) => {
        const outcome = eventOf(value, outcomeOutput!.codec)
        files?.outcomes?.write(outcome)
        watch?.outcome(outcome, timestampMs)
        evaluation?.add(evaluatedOutcome(outcome, scenario))
      })
      if (files?.deadLetters != null) await readSideTopics()
      if (afterwards === 'keep') return
      for (const { topic } of topology.outputs) await log.truncate(topic, 0, next.get(topic)!)
      for (const { topic } of topology.sources) await log.truncate(topic, 0, (await log.bounds(topic, 0)).end)
    },
    close() {
      files?.outcomes?.close()
      files?.deadLetters?.close()
      files?.late?.close()
      return files?.scores.close() ?? null
    },
  }
}

interface Files {
  readonly scores: EventLines
  readonly outcomes: EventLines | null
  readonly deadLetters: EventLines | null
  readonly late: EventLines | null
}

function openFiles(output: string | null, hash: ReplayOutputOptions['hash']): Files | null {
  const only = (scores: EventLines): Files => ({ scores, outcomes: null, deadLetters: null, late: null })
  if (output === null) return hash === 'always' ? only(hashLines()) : null
  const isFolder = output.endsWith('/') || (statSync(output, { throwIfNoEntry: false })?.isDirectory() ?? false)
  if (!isFolder) return only(openEventLines(output))
  const file = (name: string): EventLines => openEventLines(join(output, `${name}.ndjson`))
  return { scores: file('scores'), outcomes: file('outcomes'), deadLetters: file('dead-letters'), late: file('late') }
}

/** A dead letter for people and programs: why and where from, the bytes as base64 and, where they are text, as text. */
function deadLetterLine(letter: LogRecord, topic: string): object {
  const { value } = letter
  const bytes = Buffer.from(value === null ? [] : value instanceof Uint8Array ? value : value.bytes())
  const origin = fromDeadLetter(letter)?.origin
  const { code, reason, stage } = origin ?? { code: null, reason: null, stage: null }
  const text = bytes.toString()
  return {
    topic: origin?.topic ?? topic,
    offset: String(origin?.offset ?? letter.offset),
    stage,
    code,
    reason,
    value: bytes.toString('base64'),
    text: Buffer.from(text).equals(bytes) ? text : null,
  }
}
