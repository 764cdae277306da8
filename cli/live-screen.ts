import type { Words } from '../scenarios/report/report-data.ts'
import type { LiveTick } from '../scenarios/run-embedded.ts'
import { grouped, safe, shownDuration, styled } from './terminal.ts'

export interface LiveScreen {
  show(tick: LiveTick): void
}

/** Redraws one block in place on a terminal; writes a line per tick elsewhere, so that logs stay readable. */
export function createLiveScreen(stream: NodeJS.WriteStream, how: 'redraw' | 'lines', words: Words): LiveScreen {
  if (how === 'lines') return { show: (tick) => void stream.write(`${tickLine(tick, words)}\n`) }
  let drawn = 0
  return {
    show(tick) {
      const lines = tickBlock(tick, (stream.columns ?? 80) - 1, words)
      const back = drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`
      stream.write(`${back}${lines.join('\n')}\n`)
      drawn = lines.length
    },
  }
}

/** A tick on one line. */
export function tickLine(tick: LiveTick, { positives }: Words): string {
  const arms = tick.arms.map((arm) => `${arm.name} ${percent(arm.recall)} at ${percent(arm.falsePositiveRate)}`)
  return [
    shownDuration(tick.elapsedMs),
    `${grouped(tick.scores)} scores`,
    `${grouped(Math.round(tick.scoresPerSecond))}/s`,
    `p50 ${latency(tick.latencyMsP50)}, p99 ${latency(tick.latencyMsP99)}`,
    `${grouped(tick.frauds)} ${positives} in ${grouped(tick.outcomes)} outcomes`,
    `recall at FPR: ${arms.join(', ')}`,
    ...waiting(tick),
  ].join(' · ')
}

/** A tick as lines of at most `width` characters, styles aside. */
export function tickBlock(tick: LiveTick, width: number, { events, positives }: Words): string[] {
  const cut = (text: string): string => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`)
  const side = [
    ...(tick.deadLetters > 0 ? [`${grouped(tick.deadLetters)} dead letters`] : []),
    ...(tick.late > 0 ? [`${grouped(tick.late)} late`] : []),
    ...(tick.duplicates > 0 ? [`${grouped(tick.duplicates)} duplicates`] : []),
  ]
  const totals = [`${grouped(tick.payments)} ${events}`, `${grouped(tick.labels)} labels`, ...side].join(' · ')
  const speed = `${grouped(Math.round(tick.scoresPerSecond))} scores/s · append to readable score p50 ${latency(tick.latencyMsP50)}, p99 ${latency(tick.latencyMsP99)}`
  const lines = [styled('bold', cut(`${shownDuration(tick.elapsedMs)} · ${totals}`)), cut(speed), '']
  lines.push(
    styled(
      'bold',
      cut(`last ${grouped(tick.outcomes)} outcomes, ${grouped(tick.frauds)} ${positives}    recall      FPR`),
    ),
  )
  for (const { name, recall, falsePositiveRate } of tick.arms) {
    lines.push(cut(`  ${name.padEnd(30)} ${percent(recall).padStart(10)} ${percent(falsePositiveRate).padStart(8)}`))
  }
  for (const why of waiting(tick)) lines.push(cut(`  ${why}`))
  lines.push('', styled('bold', cut('scored                        score  decision   first reason')))
  for (const { id: scored, score, decision, reasons } of tick.latest) {
    const reason = safe(reasons[0]?.textEn ?? '')
    const id = safe(scored).slice(0, 28).padEnd(28)
    const line = cut(`${id} ${score.toFixed(1).padStart(6)}  ${decision.padEnd(9)}  ${reason}`)
    lines.push(decision === 'allow' ? line : styled('yellow', line))
  }
  return lines
}

/** Why nothing is stopped, where that is so. */
function waiting({ waitsFor }: LiveTick): string[] {
  return waitsFor === null ? [] : [`no threshold yet: the policy starts at ${waitsFor}`]
}

function latency(ms: number | null): string {
  return ms === null ? '–' : `${grouped(Math.round(ms))} ms`
}

function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)} %`
}
