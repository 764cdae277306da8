import { grouped, shownDuration } from './terminal.ts'

export interface Progress {
  /** Done so far, in `unit`. */
  readonly done: number
  /** 0 … 1; null where the whole is not known. */
  readonly fraction: number | null
  readonly perSecond: number
  /** What is being worked on, e.g. the event time. */
  readonly at: string
}

export interface ProgressBar {
  update(progress: Progress): void
  /** Wipes the bar, so that results stand on clean lines. */
  end(): void
}

const REDRAW_MS = 100
const WIDTH = 28

/**
 * A bar on stderr with rate and remaining time, redrawn in place at most ten times a second. Where stderr is not a
 * terminal nothing is drawn: logs stay readable.
 */
export function createProgressBar(unit: string, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (!stream.isTTY) return { update: () => undefined, end: () => undefined }
  const startMs = performance.now()
  let drawnMs = Number.NEGATIVE_INFINITY
  return {
    update(progress) {
      const nowMs = performance.now()
      if (nowMs - drawnMs < REDRAW_MS) return
      drawnMs = nowMs
      const line = progressLine(progress, unit, nowMs - startMs)
      stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`)
    },
    end() {
      if (drawnMs > 0) stream.write('\r\u001b[2K')
    },
  }
}

/** The bar as text. The remaining time assumes that the rest goes as fast as what is done. */
export function progressLine(progress: Progress, unit: string, elapsedMs: number): string {
  const { done, fraction, perSecond, at } = progress
  const rate = `${grouped(done)} ${unit} · ${grouped(Math.round(perSecond))}/s`
  if (fraction === null) return `${shownDuration(elapsedMs)} · ${rate} · ${at}`
  const clamped = Math.min(1, Math.max(0, fraction))
  const filled = Math.round(clamped * WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled)
  const left = clamped > 0 ? `${shownDuration((elapsedMs / clamped) * (1 - clamped))} left` : '…'
  return `${bar} ${String(Math.floor(clamped * 100)).padStart(3)} % · ${rate} · ${left} · ${at}`
}
