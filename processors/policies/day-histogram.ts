import { ByteReader, ByteWriter } from '../byte-buffer.ts'

export const DAY_MS = 86_400_000

/** Log-odds from -16 to 16 in steps of 1/64; what lies outside counts in the end bins. */
const LOWEST = -16
const BINS_PER_UNIT = 64
const BINS = 32 * BINS_PER_UNIT

/**
 * Counts of log-odds over the last `days` days of event time, one histogram per day. The window ends at the latest time
 * seen and is exactly `days` long: of its oldest day it takes the share that lies inside, as if spread evenly over the
 * day. What is older than the window changes nothing. Memory: (days + 1) · 8 KiB.
 */
export class DayHistogram {
  readonly days: number
  readonly #counts: Int32Array[]
  readonly #totals: Float64Array
  /** The day (since 1970) that each ring place holds. */
  readonly #dayOf: Float64Array
  /** Scratch space for the window's histogram. */
  readonly #mixed = new Float64Array(BINS)
  #firstMs = Number.POSITIVE_INFINITY
  #latestMs = Number.NEGATIVE_INFINITY

  constructor(days: number) {
    this.days = days
    this.#counts = Array.from({ length: days + 1 }, () => new Int32Array(BINS))
    this.#totals = new Float64Array(days + 1)
    this.#dayOf = new Float64Array(days + 1).fill(Number.NaN)
  }

  /** Adds a value at its event time, `weight` times (a whole number). */
  add(logit: number, eventTimeMs: number, weight = 1): void {
    this.#latestMs = Math.max(this.#latestMs, eventTimeMs)
    this.#firstMs = Math.min(this.#firstMs, eventTimeMs)
    const place = this.#placeOf(eventTimeMs)
    if (place === undefined) return
    this.#counts[place]![binOf(logit)]! += weight
    this.#totals[place]! += weight
  }

  /** Takes back a value that was added with the same arguments. */
  remove(logit: number, eventTimeMs: number): void {
    if (eventTimeMs > this.#latestMs) return
    const place = this.#placeOf(eventTimeMs)
    const bin = binOf(logit)
    if (place === undefined || this.#counts[place]![bin] === 0) return
    this.#counts[place]![bin]!--
    this.#totals[place]!--
  }

  /** Values in the window. */
  total(): number {
    return this.#window().reduce((sum, [place, share]) => sum + share * this.#totals[place]!, 0)
  }

  /** How many of the window's values lie at or above `logit`, interpolated inside its bin. */
  massAbove(logit: number): number {
    const place = Math.min(Math.max((logit - LOWEST) * BINS_PER_UNIT, 0), BINS)
    const first = Math.floor(place)
    let mass = 0
    for (const [ring, share] of this.#window()) {
      const counts = this.#counts[ring]!
      let above = first < BINS ? counts[first]! * (first + 1 - place) : 0
      for (let bin = first + 1; bin < BINS; bin++) above += counts[bin]!
      mass += share * above
    }
    return mass
  }

  /** Days of the window that have been seen, from the first value on; at most `days`. */
  spanDays(): number {
    return Math.max(0, Math.min(this.days, (this.#latestMs - this.#firstMs) / DAY_MS))
  }

  /**
   * The log-odds above which `mass` of the window's values lie, interpolated inside its bin. Infinity for mass 0,
   * -Infinity where the window holds no more than `mass`.
   */
  upperQuantile(mass: number): number {
    if (mass <= 0) return Number.POSITIVE_INFINITY
    const mixed = this.#mixed
    mixed.fill(0)
    for (const [place, share] of this.#window()) {
      const counts = this.#counts[place]!
      for (let bin = 0; bin < BINS; bin++) mixed[bin]! += share * counts[bin]!
    }
    let above = 0
    for (let bin = BINS - 1; bin >= 0; bin--) {
      const here = mixed[bin]!
      if (above + here > mass) return LOWEST + (bin + 1 - (mass - above) / here) / BINS_PER_UNIT
      above += here
    }
    return Number.NEGATIVE_INFINITY
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    writer.varint(this.days)
    writer.float64(this.#firstMs)
    writer.float64(this.#latestMs)
    for (let place = 0; place <= this.days; place++) {
      const counts = this.#counts[place]!
      writer.float64(this.#dayOf[place]!)
      writer.varint(counts.reduce((used, count) => used + (count > 0 ? 1 : 0), 0))
      for (let bin = 0; bin < BINS; bin++) {
        if (counts[bin] === 0) continue
        writer.varint(bin)
        writer.varint(counts[bin]!)
      }
    }
    return writer.take()
  }

  static decode(bytes: Uint8Array): DayHistogram {
    const reader = new ByteReader(bytes)
    const histogram = new DayHistogram(reader.varint())
    histogram.#firstMs = reader.float64()
    histogram.#latestMs = reader.float64()
    for (let place = 0; place <= histogram.days; place++) {
      histogram.#dayOf[place] = reader.float64()
      for (let left = reader.varint(); left > 0; left--) {
        const bin = reader.varint()
        const count = reader.varint()
        histogram.#counts[place]![bin] = count
        histogram.#totals[place]! += count
      }
    }
    return histogram
  }

  /** The ring place of a time's day, emptied if it held an older one; undefined for a day before the window. */
  #placeOf(eventTimeMs: number): number | undefined {
    const day = Math.floor(eventTimeMs / DAY_MS)
    if (day < Math.floor(this.#latestMs / DAY_MS) - this.days) return undefined
    const places = this.days + 1
    const place = ((day % places) + places) % places
    if (this.#dayOf[place] !== day) {
      this.#dayOf[place] = day
      this.#counts[place]!.fill(0)
      this.#totals[place] = 0
    }
    return place
  }

  /** The ring places inside the window, each with the share of it that counts. */
  #window(): [place: number, share: number][] {
    const latestDay = Math.floor(this.#latestMs / DAY_MS)
    const elapsed = this.#latestMs / DAY_MS - latestDay
    const window: [number, number][] = []
    for (let place = 0; place <= this.days; place++) {
      const age = latestDay - this.#dayOf[place]!
      if (age < this.days) window.push([place, 1])
      else if (age === this.days) window.push([place, 1 - elapsed])
    }
    return window
  }
}

function binOf(logit: number): number {
  const bin = Math.floor((logit - LOWEST) * BINS_PER_UNIT)
  return bin > 0 ? Math.min(bin, BINS - 1) : 0
}
