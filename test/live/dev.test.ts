import { describe, expect, it } from 'vitest'
import { tickBlock, tickLine } from '../../cli/live-screen.ts'
import type { LiveScore, LiveTick } from '../../scenarios/run-embedded.ts'
import { inFolder, rheo } from '../cli/rheo.ts'

const line = (n: number): string =>
  JSON.stringify({
    paymentId: `p${n}`,
    eventTime: '2026-01-02T08:00:00Z',
    customerId: `c${n % 3}`,
    terminalId: 't1',
    currency: 'EUR',
    amount: 10 + n,
  })

describe('rheo dev', () => {
  it('scores what another process appended, tells bad records apart, and goes on in the next run', () =>
    inFolder(async (directory) => {
      const produce = (lines: readonly string[]) =>
        rheo(directory, ['produce', 'payments', '--state', 's'], { stdin: `${lines.join('\n')}\n` })
      const dev = ['dev', 'fraud', '--no-generator', '--for', '200ms', '--state', 's', '--json']
      await produce([line(1), line(2), '{"paymentId":', line(2)])
      const first = await rheo(directory, dev)
      expect(first.code).toBe(0)
      expect(JSON.parse(first.stdout)).toMatchObject({ payments: 4, scores: 2, deadLetters: 1, late: 0, duplicates: 1 })
      await produce([line(2), line(3)])
      const second = await rheo(directory, dev)
      expect(JSON.parse(second.stdout)).toMatchObject({ payments: 2, scores: 1, deadLetters: 0, duplicates: 1 })
    }))

  it('balances with generated payments', () =>
    inFolder(async (directory) => {
      const args = ['dev', 'fraud', '--rate', '500', '--for', '1s', '--label-delay', '100ms', '--state', 's', '--json']
      const { code, stdout } = await rheo(directory, args)
      const result = JSON.parse(stdout)
      expect(code).toBe(0)
      expect(result.payments).toBeGreaterThan(0)
      expect(result.scores).toBe(result.payments)
      expect(result.outcomes).toBe(result.labels)
    }))
})

describe('the live screen', () => {
  const score = { id: 'p\u001b[2J', score: 97.5, decision: 'review', reasons: [{ textEn: 'many\u001b[31m' }] }
  const words = { events: 'payments', positives: 'frauds' }
  const tick: LiveTick = {
    elapsedMs: 61_000,
    payments: 1_200,
    labels: 900,
    scores: 1_190,
    deadLetters: 4,
    late: 0,
    duplicates: 6,
    scoresPerSecond: 199.6,
    latencyMsP50: 3,
    latencyMsP99: null,
    latest: [score as unknown as LiveScore],
    waitsFor: null,
    outcomes: 900,
    frauds: 11,
    arms: [{ name: 'selfOptimising', recall: 0.91, falsePositiveRate: null }],
  }

  it('shows rates, arms and the first reason, and lets no event move the cursor', () => {
    const text = tickBlock(tick, 100, words).join('\n')
    expect(text).toContain('4 dead letters · 6 duplicates')
    expect(text).toContain('91.0 %')
    expect(text).toContain('p\\x1b[2J')
    expect(text).toContain('many\\x1b[31m')
    expect(text).not.toContain('\u001b[2J')
  })

  it('fits any width', () => {
    for (const width of [10, 40, 80]) {
      for (const line of tickBlock(tick, width, words)) expect(line.length).toBeLessThanOrEqual(width)
    }
  })

  it('calls things by the scenario’s words, and says why nothing is stopped yet', () => {
    const fresh = { ...tick, waitsFor: '600 negatives in 7 days' }
    const own = { events: 'orders', positives: 'returns' }
    for (const text of [tickLine(fresh, own), tickBlock(fresh, 100, own).join('\n')]) {
      expect(text).toContain('no threshold yet: the policy starts at 600 negatives in 7 days')
      expect(text).toContain('11 returns')
      expect(text).not.toMatch(/payments|frauds/)
    }
  })

  it('has one line for logs', () => {
    expect(tickLine(tick, words)).toBe(
      '1 min 01 s · 1,190 scores · 200/s · p50 3 ms, p99 – · 11 frauds in 900 outcomes · recall at FPR: selfOptimising 91.0 % at –',
    )
  })
})
