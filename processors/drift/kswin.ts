import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { hash32 } from '../random.ts'
import type { DriftDetector, DriftSignal } from './drift-detector.ts'

export interface KswinOptions {
  /** Chance of a false alarm at one test; every value is a test, so keep it small. Default 0.0001. */
  readonly alpha?: number
  /** Values remembered. Default 300. */
  readonly window?: number
  /** The newest values, and as many drawn from the older ones, are compared. Default 60; at most half the window. */
  readonly sample?: number
  /** Seed of the draw. Default 1. */
  readonly seed?: number
}

/**
 * KSWIN compares the distribution of the newest values with that of a random draw from the older ones by the
 * Kolmogorov–Smirnov test, so it sees changes of shape that leave the mean alone. For features; on rates of rare events
 * ADWIN sees more. (Raab, Heusinger and Schleif 2020.) The p-value is exact (Gnedenko and Korolyuk 1951).
 */
export class Kswin implements DriftDetector {
  readonly #options: Required<KswinOptions>
  /** The smallest difference of the empirical distributions, in values, whose p-value is at most alpha. */
  readonly #critical: number
  #values: number[] = []
  #draws = 0

  constructor(options: KswinOptions = {}) {
    this.#options = { alpha: 0.0001, window: 300, sample: 60, seed: 1, ...options }
    const { alpha, window, sample } = this.#options
    if (!(alpha > 0 && alpha < 1) || ![window, sample].every(Number.isInteger) || sample < 5 || 2 * sample > window) {
      throw new RheoError('CONFIG_INVALID', 'KSWIN options out of range', {
        hint: 'alpha lies between 0 and 1; sample is at least 5 and at most half the window.',
      })
    }
    let critical = 1
    while (critical <= sample && kolmogorovSmirnovP(critical, sample) > alpha) critical++
    this.#critical = critical
  }

  update(value: number): DriftSignal {
    if (!Number.isFinite(value)) return 'none'
    const { window, sample } = this.#options
    this.#values.push(value)
    if (this.#values.length < window) return 'none'
    if (this.#values.length > window) this.#values.shift()
    const newest = Float64Array.from(this.#values.slice(-sample)).sort()
    if (largestDifference(newest, this.#draw()) < this.#critical) return 'none'
    this.#values = this.#values.slice(-sample)
    return 'drift'
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    const { alpha, window, sample, seed } = this.#options
    for (const value of [alpha, window, sample, seed, this.#draws]) writer.float64(value)
    writer.varint(this.#values.length)
    for (const value of this.#values) writer.float64(value)
    return writer.take()
  }

  static decode(bytes: Uint8Array): Kswin {
    const reader = new ByteReader(bytes)
    const detector = new Kswin({
      alpha: reader.float64(),
      window: reader.float64(),
      sample: reader.float64(),
      seed: reader.float64(),
    })
    detector.#draws = reader.float64()
    detector.#values = Array.from({ length: reader.varint() }, () => reader.float64())
    return detector
  }

  /** `sample` of the older values, without replacement, ascending. */
  #draw(): Float64Array {
    const { sample, seed } = this.#options
    const older = this.#values.slice(0, -sample)
    const drawn = new Float64Array(sample)
    this.#draws++
    for (let i = 0; i < sample; i++) {
      const at = i + (hash32(seed, this.#draws, i) % (older.length - i))
      drawn[i] = older[at]!
      older[at] = older[i]!
    }
    return drawn.sort()
  }
}

/** The largest difference between two empirical distributions of `a.length` values each, counted in values. */
function largestDifference(a: Float64Array, b: Float64Array): number {
  let largest = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const value = Math.min(a[i]!, b[j]!)
    while (i < a.length && a[i] === value) i++
    while (j < b.length && b[j] === value) j++
    largest = Math.max(largest, Math.abs(i - j))
  }
  return largest
}

/** P(difference ≥ k / n) of two samples of n from one continuous distribution: 2 Σ (-1)^(j+1) C(2n, n - jk) / C(2n, n). */
export function kolmogorovSmirnovP(k: number, n: number): number {
  let p = 0
  for (let j = 1; j * k <= n; j++) {
    let ratio = 1
    for (let i = 0; i < j * k; i++) ratio *= (n - i) / (n + i + 1)
    p += j % 2 === 1 ? 2 * ratio : -2 * ratio
  }
  return Math.min(1, p)
}
