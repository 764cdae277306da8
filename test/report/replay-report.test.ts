import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fraud } from '../../scenarios/fraud/fraud.ts'
import { STREAM_START_MS } from '../../scenarios/fraud/stream.ts'
import { type ReplayOptions, replayScenario } from '../../scenarios/replay-scenario.ts'

const DAY_MS = 86_400_000

function optionsFor(days: number, changes: Partial<ReplayOptions> = {}): ReplayOptions {
  return {
    scenario: fraud,
    inputs: [],
    stream: { payments: 3_000, days, seed: 3, world: 'drift', labelDelayMs: DAY_MS },
    sliceMs: 6 * 3_600_000,
    untilMs: null,
    stateDir: null,
    output: null,
    report: null,
    evaluateFromMs: null,
    evaluateUntilMs: null,
    batchRecords: 2_000,
    ...changes,
  }
}

describe('a replay of the generated stream', () => {
  test('is measured from the end of the warm-up, and its report tells what it measured', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'rheo-report-'))
    try {
      const report = join(directory, 'new', 'report.html')
      const summary = await replayScenario(optionsFor(60, { report }))
      expect(summary.skippedWarmUpMs).toBe(30 * DAY_MS)
      expect(summary.evaluation!.fromMs).toBe(STREAM_START_MS + 30 * DAY_MS)
      const page = readFileSync(report, 'utf8')
      expect(page).toContain('<h1>Fraud: drift stream, seed 3</h1>')
      expect(page).toContain('Not measured</dt><dd>the first 30 days, while both arms learn')
      expect(page).toContain('skimmed terminals stop')
      expect(page).toContain('account-takeover')
      expect(page).toContain('Nothing lost, nothing doubled')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('is measured as a whole when it ends before the warm-up, and from where the user says', async () => {
    const short = await replayScenario(optionsFor(20))
    expect(short.skippedWarmUpMs).toBeNull()
    expect(short.evaluation!.fromMs).toBeLessThan(STREAM_START_MS + DAY_MS)
    const given = await replayScenario(optionsFor(60, { evaluateFromMs: STREAM_START_MS + 10 * DAY_MS }))
    expect(given.skippedWarmUpMs).toBeNull()
    expect(given.evaluation!.fromMs).toBe(STREAM_START_MS + 10 * DAY_MS)
  })
})
