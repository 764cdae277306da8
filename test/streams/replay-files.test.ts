import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { type ReplaySummary, replayScenario } from '../../scenarios/replay-scenario.ts'

const map = {
  event: 'payment',
  time: { column: 't', unit: 's', origin: '2026-01-01T00:00:00Z' },
  fields: { paymentId: 'id', customerId: 'c', terminalId: 'k', amount: 'a' },
}
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rheo-inputs-'))
  writeFileSync(join(directory, 'map.json'), JSON.stringify(map))
})
afterEach(() => rmSync(directory, { recursive: true }))

function call(
  name: string,
  rows: readonly string[],
  output = 'scores.ndjson',
  more: readonly string[] = [],
): Promise<ReplaySummary> {
  const file = join(directory, name)
  writeFileSync(file, ['t,id,c,k,a', ...rows, ''].join('\n'))
  return replayScenario({
    scenario: fraud,
    inputs: [file, ...more.map((each) => join(directory, each))].map((each) => ({
      file: each,
      map: join(directory, 'map.json'),
    })),
    stream: { payments: 0, days: 1, seed: 1, world: 'drift', labelDelayMs: 0 },
    sliceMs: 1_000,
    untilMs: null,
    stateDir: join(directory, 'state'),
    output: `${directory}/${output}`,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    batchRecords: 100,
  })
}

it('counts and writes only its own input, and goes on from what an earlier one taught', async () => {
  const first = await call('first.csv', ['1,a1,c1,t1,5', '2,a2,c1,t1,6', '3,a2,c1,t1,6', '4,a3,c1,t1,x'])
  expect(first.flow).toMatchObject({ input: 4, scored: 2, deadLetters: 1, duplicates: 1, balanced: true })
  const second = await call('second.csv', ['11,b1,c1,t1,5', '12,b2,c1,t1,6', '13,b2,c1,t1,6'])
  expect(second.flow).toMatchObject({ input: 3, scored: 2, deadLetters: 0, duplicates: 1, balanced: true })
  const lines = readFileSync(join(directory, 'scores.ndjson'), 'utf8').trimEnd().split('\n')
  const scores = lines.map((line) => JSON.parse(line) as { paymentId: string; features: Record<string, number> })
  expect(scores.map(({ paymentId }) => paymentId)).toEqual(['b1', 'b2'])
  expect(scores[0]!.features['customerId.count.24h']).toBe(2)
})

it('gives an input called again its own outputs and counts, although another came in between', async () => {
  const a = ['1,a1,c1,t1,5', '2,a2,c1,t1,6', '3,a2,c1,t1,6', '4,a3,c1,t1,x']
  const first = await call('a.csv', a, 'a.ndjson')
  await call('b.csv', ['11,b1,c1,t1,5', '12,b1,c1,t1,5', '13,b3,c1,t1,6'], 'b.ndjson')
  const again = await call('a.csv', a, 'again.ndjson')
  expect(again.flow).toEqual(first.flow)
  expect(again.outputSha256).toBe(first.outputSha256)
  const grown = call('a.csv', [...a, '20,a4,c1,t1,7'])
  await expect(grown).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('has grown') })
})

it('balances when a file is given twice beside another: its rows are duplicates the second time', async () => {
  const rows = ['1,a1,c1,t1,5', '2,a2,c1,t1,6', '4,a3,c1,t1,x']
  writeFileSync(join(directory, 'b.csv'), ['t,id,c,k,a', '3,b1,c1,t1,5', ''].join('\n'))
  const summary = await call('a.csv', rows, 'scores.ndjson', ['b.csv', 'a.csv'])
  expect(summary.flow).toMatchObject({ input: 7, scored: 3, deadLetters: 2, duplicates: 2, balanced: true })
})

it('writes one file per output topic into a folder, dead letters with their bytes', async () => {
  await call('input.csv', ['1,a1,c1,t1,5', '2,a2,c1,t1,NaN', '90000,a3,c1,t1,7', '3,a4,c1,t1,1'], 'out/')
  const read = (name: string): Record<string, unknown>[] => {
    const text = readFileSync(join(directory, 'out', `${name}.ndjson`), 'utf8')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }
  expect(read('scores').map(({ paymentId }) => paymentId)).toEqual(['a1', 'a4'])
  expect(read('dead-letters').map(({ code, stage }) => [code, stage])).toEqual([
    ['NUMBER_NOT_FINITE', 'input'],
    ['TIME_IN_FUTURE', 'intake'],
  ])
  expect(read('dead-letters')[0]).toMatchObject({ topic: 'input.csv', text: '2,a2,c1,t1,NaN' })
  expect(read('late')).toEqual([])
  expect(read('outcomes')).toEqual([])
})

it('takes labels from a file of their own, at their own times', async () => {
  const labels = {
    event: 'label',
    time: { column: 't', unit: 's', origin: '2026-01-01T00:00:00Z' },
    fields: { paymentId: 'id', fraud: 'f', source: 's' },
  }
  writeFileSync(join(directory, 'labels.json'), JSON.stringify(labels))
  writeFileSync(join(directory, 'labels.csv'), 't,id,f,s\n10,a1,1,chargeback\n20,a2,0,analyst\n')
  writeFileSync(join(directory, 'payments.csv'), 't,id,c,k,a\n1,a1,c1,t1,5\n2,a2,c2,t1,6\n30,a3,c1,t1,7\n')
  const input = (name: string, map: string) => ({ file: join(directory, name), map: join(directory, map) })
  const { flow } = await replayScenario({
    scenario: fraud,
    inputs: [input('payments.csv', 'map.json'), input('labels.csv', 'labels.json')],
    stream: { payments: 0, days: 1, seed: 1, world: 'drift', labelDelayMs: 0 },
    sliceMs: 1_000,
    untilMs: null,
    stateDir: null,
    output: `${directory}/out/`,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    batchRecords: 100,
  })
  expect(flow).toMatchObject({ input: 3, scored: 3, labels: 2, balanced: true })
  const lines = readFileSync(join(directory, 'out', 'outcomes.ndjson'), 'utf8')
    .trimEnd()
    .split('\n')
  const outcomes = lines.map((line) => JSON.parse(line))
  expect(outcomes.map(({ paymentId, fraud, source }) => [paymentId, fraud, source])).toEqual([
    ['a1', true, 'chargeback'],
    ['a2', false, 'analyst'],
  ])
  expect(outcomes[0].labelTime - outcomes[0].eventTime).toBe(9_000)
})
