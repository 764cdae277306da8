import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import type { DriftDetector, DriftSignal } from './drift-detector.ts'

export interface PageHinkleyOptions {
  /** Values before the first signal. Default 30. */
  readonly minValues?: number
  /** Deviations from the mean up to this are tolerated, in the stream's unit. Default 0.005. */
  readonly delta?: number
  /** Cumulated deviation that is a drift, in the stream's unit. Default 50. */
  readonly threshold?: number
  /** Fading of the cumulated deviation per value. Default 0.9999. */
  readonly retain?: number
  /** Which way the mean must move. Default both. */
  readonly direction?: 'up' | 'down' | 'both'
}

const DIRECTIONS = ['up', 'down', 'both'] as const

/**
 * Page–Hinkley test: the deviations from the running mean, summed, against the sum's extreme. Cheapest of the detectors
 * and quick on a change of the mean, but its threshold is in the stream's unit. (Page 1954; Hinkley 1971; fading sums
 * as in River.)
 */
export class PageHinkley implements DriftDetector {
  readonly #options: Required<PageHinkleyOptions>
  #count = 0
  #mean = 0
  #up = 0
  #lowestUp = 0
  #down = 0
  #highestDown = 0

  constructor(options: PageHinkleyOptions = {}) {
    this.#options = { minValues: 30, delta: 0.005, threshold: 50, retain: 0.9999, direction: 'both', ...options }
    const { minValues, delta, threshold, retain } = this.#options
    if (!(minValues >= 1 && delta >= 0 && threshold > 0 && retain > 0 && retain <= 1)) {
      throw new RheoError('CONFIG_INVALID', 'Page–Hinkley options out of range', {
        hint: 'minValues ≥ 1, delta ≥ 0, threshold > 0, retain in (0, 1].',
      })
    }
  }

  update(value: number): DriftSignal {
    if (!Number.isFinite(value)) return 'none'
    const { minValues, delta, threshold, retain, direction } = this.#options
    this.#count++
    this.#mean += (value - this.#mean) / this.#count
    const deviation = value - this.#mean
    this.#up = this.#up * retain + deviation - delta
    this.#down = this.#down * retain + deviation + delta
    this.#lowestUp = Math.min(this.#lowestUp, this.#up)
    this.#highestDown = Math.max(this.#highestDown, this.#down)
    if (this.#count < minValues) return 'none'
    const rose = direction !== 'down' && this.#up - this.#lowestUp > threshold
    const fell = direction !== 'up' && this.#highestDown - this.#down > threshold
    if (!rose && !fell) return 'none'
    this.#startAnew()
    return 'drift'
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    const { minValues, delta, threshold, retain, direction } = this.#options
    for (const value of [minValues, delta, threshold, retain]) writer.float64(value)
    writer.varint(DIRECTIONS.indexOf(direction))
    for (const value of [this.#count, this.#mean, this.#up, this.#lowestUp, this.#down, this.#highestDown]) {
      writer.float64(value)
    }
    return writer.take()
  }

  static decode(bytes: Uint8Array): PageHinkley {
    const reader = new ByteReader(bytes)
    const detector = new PageHinkley({
      minValues: reader.float64(),
      delta: reader.float64(),
      threshold: reader.float64(),
      retain: reader.float64(),
      direction: DIRECTIONS[reader.varint()] ?? 'both',
    })
    detector.#count = reader.float64()
    detector.#mean = reader.float64()
    detector.#up = reader.float64()
    detector.#lowestUp = reader.float64()
    detector.#down = reader.float64()
    detector.#highestDown = reader.float64()
    return detector
  }

  #startAnew(): void {
    this.#count = 0
    this.#mean = 0
    this.#up = 0
    this.#lowestUp = 0
    this.#down = 0
    this.#highestDown = 0
  }
}
