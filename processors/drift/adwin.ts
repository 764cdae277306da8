import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { log } from '../learners/sigmoid.ts'
import type { DriftDetector, DriftSignal } from './drift-detector.ts'

export interface AdwinOptions {
  /** Chance of a false cut at one check. Default 0.002. */
  readonly delta?: number
  /** Checks for a cut every so many values. Default 32. */
  readonly checkEvery?: number
  /** Buckets of one size before two are merged. Default 5. */
  readonly maxBuckets?: number
  /** Values that each side of a cut has at least. Default 5. */
  readonly minSide?: number
}

/** `count` values: their sum and their sum of squared deviations. */
interface Bucket {
  readonly total: number
  readonly variance: number
}

/**
 * ADWIN: a window of recent values as long as their mean has not changed. It is cut where the means of its older and
 * newer part differ by more than chance allows; then the older part goes. Values of any scale. Memory and time per
 * check grow with the logarithm of the window. (Bifet and Gavaldà 2007, "Learning from time-changing data with adaptive
 * windowing"; bucket scheme and bound as in its reference code and in River.)
 */
export class Adwin implements DriftDetector {
  readonly #options: Required<AdwinOptions>
  /** rows[i] holds buckets of 2^i values, oldest first. */
  #rows: Bucket[][] = [[]]
  #width = 0
  #total = 0
  #variance = 0
  #seen = 0

  constructor(options: AdwinOptions = {}) {
    this.#options = { delta: 0.002, checkEvery: 32, maxBuckets: 5, minSide: 5, ...options }
    const { delta, checkEvery, maxBuckets, minSide } = this.#options
    if (!(delta > 0 && delta < 1) || ![checkEvery, maxBuckets, minSide].every((n) => Number.isInteger(n) && n >= 1)) {
      throw new RheoError('CONFIG_INVALID', 'ADWIN options out of range', {
        hint: 'delta lies between 0 and 1; checkEvery, maxBuckets and minSide are whole numbers of at least 1.',
      })
    }
  }

  /** Values in the window. */
  get width(): number {
    return this.#width
  }

  /** Mean of the window. */
  get mean(): number {
    return this.#width === 0 ? 0 : this.#total / this.#width
  }

  update(value: number): DriftSignal {
    if (!Number.isFinite(value)) return 'none'
    this.#seen++
    this.#insert(value)
    if (this.#seen % this.#options.checkEvery !== 0) return 'none'
    let drift = false
    while (this.#width > 2 * this.#options.minSide && this.#hasCut()) {
      this.#dropOldest()
      drift = true
    }
    return drift ? 'drift' : 'none'
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    const { delta, checkEvery, maxBuckets, minSide } = this.#options
    for (const value of [delta, checkEvery, maxBuckets, minSide]) writer.float64(value)
    for (const value of [this.#width, this.#total, this.#variance, this.#seen]) writer.float64(value)
    writer.varint(this.#rows.length)
    for (const row of this.#rows) {
      writer.varint(row.length)
      for (const { total, variance } of row) {
        writer.float64(total)
        writer.float64(variance)
      }
    }
    return writer.take()
  }

  static decode(bytes: Uint8Array): Adwin {
    const reader = new ByteReader(bytes)
    const adwin = new Adwin({
      delta: reader.float64(),
      checkEvery: reader.float64(),
      maxBuckets: reader.float64(),
      minSide: reader.float64(),
    })
    adwin.#width = reader.float64()
    adwin.#total = reader.float64()
    adwin.#variance = reader.float64()
    adwin.#seen = reader.float64()
    adwin.#rows = Array.from({ length: reader.varint() }, () =>
      Array.from({ length: reader.varint() }, () => ({ total: reader.float64(), variance: reader.float64() })),
    )
    return adwin
  }

  #insert(value: number): void {
    if (this.#width > 0) {
      this.#variance += (this.#width * (value - this.mean) ** 2) / (this.#width + 1)
    }
    this.#width++
    this.#total += value
    this.#rows[0]!.push({ total: value, variance: 0 })
    for (let i = 0; this.#rows[i]!.length > this.#options.maxBuckets; i++) {
      const [a, b] = this.#rows[i]!.splice(0, 2) as [Bucket, Bucket]
      if (i + 1 === this.#rows.length) this.#rows.push([])
      const between = (a.total - b.total) ** 2 / (2 * 2 ** i)
      this.#rows[i + 1]!.push({ total: a.total + b.total, variance: a.variance + b.variance + between })
    }
  }

  #dropOldest(): void {
    const last = this.#rows.length - 1
    const bucket = this.#rows[last]!.shift()!
    if (this.#rows[last]!.length === 0 && last > 0) this.#rows.pop()
    const count = 2 ** last
    const rest = this.#width - count
    const difference = bucket.total / count - (this.#total - bucket.total) / rest
    this.#variance -= bucket.variance + (count * rest * difference ** 2) / this.#width
    this.#variance = Math.max(0, this.#variance)
    this.#width = rest
    this.#total -= bucket.total
  }

  #hasCut(): boolean {
    const { delta, minSide } = this.#options
    const confidence = log((2 * log(this.#width)) / delta)
    const variance = this.#variance / this.#width
    let older = 0
    let olderTotal = 0
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      for (const bucket of this.#rows[i]!) {
        older += 2 ** i
        olderTotal += bucket.total
        const newer = this.#width - older
        if (newer < minSide) return false
        if (older < minSide) continue
        const difference = Math.abs(olderTotal / older - (this.#total - olderTotal) / newer)
        const inverse = 1 / (older - minSide + 1) + 1 / (newer - minSide + 1)
        if (difference > Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence) return true
      }
    }
    return false
  }
}
