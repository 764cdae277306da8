import { RheoError } from '../../schemas/errors.ts'
import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import type { DriftDetector, DriftSignal } from './drift-detector.ts'

export interface DdmOptions {
  /**
   * Values before the first signal. Default 30, as published; a lucky start then sets the best rate too low, so raise it
   * (to 10 / error rate) where false alarms cost more than delay.
   */
  readonly minValues?: number
  /** Standard deviations above the best error rate that are a warning. Default 2. */
  readonly warningLevel?: number
  /** Standard deviations above the best error rate that are a drift. Default 3. */
  readonly driftLevel?: number
}

/**
 * DDM watches errors (1 = wrong, 0 = right): a drift where the error rate stands three standard deviations above the
 * best it has been, a warning at two. It sees only errors that grow. (Gama et al. 2004, "Learning with drift detection".)
 */
export class Ddm implements DriftDetector {
  readonly #options: Required<DdmOptions>
  #count = 0
  #rate = 0
  #bestRate = Number.POSITIVE_INFINITY
  #bestDeviation = 0

  constructor(options: DdmOptions = {}) {
    this.#options = { minValues: 30, warningLevel: 2, driftLevel: 3, ...options }
    const { minValues, warningLevel, driftLevel } = this.#options
    if (!(minValues >= 1 && warningLevel > 0 && driftLevel >= warningLevel)) {
      throw new RheoError('CONFIG_INVALID', 'DDM options out of range', {
        hint: 'minValues ≥ 1, warningLevel > 0, driftLevel ≥ warningLevel.',
      })
    }
  }

  /** Takes 1 for an error and 0 for a right answer; shares in between count in part. */
  update(value: number): DriftSignal {
    if (!Number.isFinite(value)) return 'none'
    const { minValues, warningLevel, driftLevel } = this.#options
    this.#count++
    this.#rate += (Math.min(1, Math.max(0, value)) - this.#rate) / this.#count
    if (this.#count < minValues) return 'none'
    const deviation = Math.sqrt((this.#rate * (1 - this.#rate)) / this.#count)
    if (this.#rate + deviation <= this.#bestRate + this.#bestDeviation) {
      this.#bestRate = this.#rate
      this.#bestDeviation = deviation
    }
    const level = this.#rate + deviation - this.#bestRate
    if (level > driftLevel * this.#bestDeviation) {
      this.#startAnew()
      return 'drift'
    }
    return level > warningLevel * this.#bestDeviation ? 'warning' : 'none'
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    const { minValues, warningLevel, driftLevel } = this.#options
    for (const value of [minValues, warningLevel, driftLevel]) writer.float64(value)
    for (const value of [this.#count, this.#rate, this.#bestRate, this.#bestDeviation]) writer.float64(value)
    return writer.take()
  }

  static decode(bytes: Uint8Array): Ddm {
    const reader = new ByteReader(bytes)
    const detector = new Ddm({
      minValues: reader.float64(),
      warningLevel: reader.float64(),
      driftLevel: reader.float64(),
    })
    detector.#count = reader.float64()
    detector.#rate = reader.float64()
    detector.#bestRate = reader.float64()
    detector.#bestDeviation = reader.float64()
    return detector
  }

  #startAnew(): void {
    this.#count = 0
    this.#rate = 0
    this.#bestRate = Number.POSITIVE_INFINITY
    this.#bestDeviation = 0
  }
}
