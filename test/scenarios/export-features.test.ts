import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportFromLog } from '../../scenarios/export-features.ts'
import { openFeatureTable } from '../../scenarios/feature-table.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { replayScenario } from '../../scenarios/replay-scenario.ts'
import type { Outcome } from '../../schemas/generated/fraud/outcome.ts'
import type { Score } from '../../schemas/generated/fraud/score.ts'
import { openSqliteLog } from '../../streams/event-log/sqlite.ts'

const DAY_MS = 86_400_000
const directory = mkdtempSync(join(tmpdir(), 'rheo-export-'))
const scores: Score[] = []
const outcomes: Outcome[] = []

beforeAll(async () => {
  await replayScenario({
    scenario: fraud,
    inputs: [],
    stream: { payments: 400, days: 4, seed: 3, world: 'drift', labelDelayMs: DAY_MS },
    sliceMs: 900_000,
    untilMs: null,
    stateDir: directory,
    output: null,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    batchRecords: 500,
    watch: { score: (event) => scores.push(event as Score), outcome: (event) => outcomes.push(event as Outcome) },
  })
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function exported(name: string, range: { sinceMs: number | null; untilMs: number | null }): Promise<string[][]> {
  const file = join(directory, name)
  const log = openSqliteLog(join(directory, 'log.sqlite'))
  await exportFromLog({ log, scenario: fraud, file, ...range })
  await log.close()
  const bytes = readFileSync(file)
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
}

const rowOf = ({ paymentId, eventTime, features }: Score): (string | number)[] => [
  paymentId,
  eventTime,
  ...fraud.featureSet.names.map((name) => (Number.isNaN(features[name]) ? '' : features[name]!)),
]

describe('exported features', () => {
  it('are those that were served, each with its label, in the order in which labels became known', async () => {
    const [header, ...rows] = await exported('all.csv.gz', { sinceMs: null, untilMs: null })
    expect(header).toEqual(['paymentId', 'eventTime', ...fraud.featureSet.names, 'labelTime', 'label'])
    const byId = new Map(scores.map((score) => [score.paymentId, score]))
    const first = outcomes.filter(({ corrected }) => !corrected)
    expect(first.length).toBeGreaterThan(300)
    const expected = first.map((outcome) => [
      ...rowOf(byId.get(outcome.paymentId)!),
      outcome.labelTime,
      outcome.fraud ? 1 : 0,
    ])
    expect(rows.slice(0, expected.length)).toEqual(expected.map((row) => row.map(String)))
    expect(rows).toHaveLength(scores.length)
  })

  it('hold nothing that was not known by the end of the range: a later label is missing', async () => {
    const untilMs = scores[0]!.eventTime + 2 * DAY_MS
    const [, ...rows] = await exported('head.csv', { sinceMs: null, untilMs })
    expect(rows).toHaveLength(scores.filter(({ eventTime }) => eventTime < untilMs).length)
    const labelled = rows.filter((row) => row.at(-1) !== '')
    expect(labelled).toHaveLength(outcomes.filter(({ labelTime }) => labelTime < untilMs).length)
    expect(rows.length).toBeGreaterThan(labelled.length)
    for (const row of labelled) expect(Number(row.at(-2))).toBeLessThan(untilMs)
  })

  it('leave out what was before the range', async () => {
    const sinceMs = scores[0]!.eventTime + DAY_MS
    const [, ...rows] = await exported('tail.csv', { sinceMs, untilMs: null })
    expect(rows).toHaveLength(scores.filter(({ eventTime }) => eventTime >= sinceMs).length)
  })
})

describe('a feature table', () => {
  it('pairs a label that came before its score, and keeps the row that a correction comes after', () => {
    const file = join(directory, 'table.ndjson')
    const table = openFeatureTable({ file, scenario: fraud, sinceMs: null })
    table.outcome({ paymentId: 'a,"b"', eventTime: 5, labelTime: 3, fraud: true, corrected: false })
    table.score({ paymentId: 'a,"b"', eventTime: 5, features: { amount: 7 } })
    table.outcome({ paymentId: 'a,"b"', eventTime: 5, labelTime: 9, fraud: false, corrected: true })
    table.score({ paymentId: 'c', eventTime: 6, features: {} })
    expect(table.close()).toEqual({ rows: 2, labelled: 1, positives: 1 })
    const rows = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(rows[0]).toMatchObject({ paymentId: 'a,"b"', amount: 7, hour: null, labelTime: 3, label: 1 })
    expect(rows[1]).toMatchObject({ paymentId: 'c', amount: null, labelTime: null, label: null })
  })

  it('is refused where its name says no format', () => {
    const open = () => openFeatureTable({ file: join(directory, 'table.parquet'), scenario: fraud, sinceMs: null })
    expect(open).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
