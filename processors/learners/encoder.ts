import { RheoError } from '../../schemas/errors.ts'

/** One example as FTRL takes it: `length` entries, and for each the features it speaks for. */
export interface SparseExample {
  readonly indices: Uint32Array
  readonly values: Float32Array
  /** The feature an entry belongs to; -1: the bias. */
  readonly owners: Int32Array
  /** The other feature of a cross; -1: none. */
  readonly partners: Int32Array
  length: number
}

export interface EncoderOptions {
  /** Features whose numbers are names (category codes): one slot per value, no order between them. */
  readonly categorical?: readonly string[]
  /** Pairs of features that get a slot per combination of their values. Pairs with an unknown feature are left out. */
  readonly crosses?: readonly (readonly [string, string])[]
}

/** Two knots per doubling of (1 + 64 |value|): a knot is half of the 2^20 steps that a float64's high word has. */
const KNOT_BITS = 19
const KNOT = 2 ** KNOT_BITS
const LOWEST_KNOT = -44
const HIGHEST_KNOT = 83
const KNOTS = HIGHEST_KNOT - LOWEST_KNOT + 1
const HASHED_BITS = 15
const BIAS_SLOT = 0
const MISSING = 0x7fff

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)
const HIGH_WORD = new Uint32Array(new Float64Array([1]).buffer)[1] === 0x3ff00000 ? 1 : 0

/**
 * Turns a vector of features into a sparse example for FTRL, so that a linear model can follow any smooth curve of each
 * feature, without knowing its range.
 *
 * Every number gets a place on one logarithmic scale, the same for all features: ±log2(1 + 64 |value|), two knots per
 * doubling, straight between powers of two (so no logarithm is computed and the bits are the same on every machine).
 * The example holds the two knots around the value, weighted by nearness: the score has no steps, and neighbouring
 * knots learn together. Shares between 0 and 1 span 12 knots, seconds up to a month 55.
 *
 * A missing value (NaN) has no entry: its effect is the zero that the others are measured against. Values beyond
 * ± the scale's ends count as the ends.
 *
 * Slots: 0 is the bias; then 128 for each feature, addressed directly; crosses and categorical values are hashed into
 * the 2^15 or more behind them. Cost: two entries per feature.
 */
export class Encoder {
  /** The model's table has 2^bits slots. */
  readonly bits: number
  readonly featureCount: number
  readonly #categorical: Uint8Array
  /** Two feature indices per cross. */
  readonly #crosses: Int32Array
  readonly #hashedAt: number
  readonly #hashedSize: number

  constructor(featureNames: readonly string[], options: EncoderOptions = {}) {
    assertNames(featureNames)
    this.featureCount = featureNames.length
    this.#categorical = Uint8Array.from(featureNames, (name) => (options.categorical?.includes(name) ? 1 : 0))
    const pairs = (options.crosses ?? []).map((pair) => pair.map((name) => featureNames.indexOf(name)))
    this.#crosses = Int32Array.from(pairs.filter((pair) => pair.every((index) => index >= 0)).flat())
    this.#hashedAt = 1 + this.featureCount * KNOTS
    const hashes = this.#crosses.length > 0 || this.#categorical.includes(1)
    this.bits = Math.ceil(Math.log2(this.#hashedAt + (hashes ? 2 ** HASHED_BITS : 0)))
    this.#hashedSize = 2 ** this.bits - this.#hashedAt
  }

  /** An example to be filled by `encode`, again and again. */
  createExample(): SparseExample {
    const capacity = 1 + this.featureCount * 2 + this.#crosses.length / 2
    return {
      indices: new Uint32Array(capacity),
      values: new Float32Array(capacity),
      owners: new Int32Array(capacity).fill(-1),
      partners: new Int32Array(capacity).fill(-1),
      length: 0,
    }
  }

  /** Overwrites `example` with the encoding of `features`, float64 [features], NaN = missing. */
  encode(features: Float64Array, example: SparseExample): void {
    const { indices, values, owners, partners } = example
    indices[0] = BIAS_SLOT
    values[0] = 1
    let length = 1
    for (let f = 0; f < this.featureCount; f++) {
      const value = features[f]!
      if (Number.isNaN(value)) continue
      owners[length] = f
      if (this.#categorical[f] === 1) {
        indices[length] = this.#hashedSlot(f, exactBits(value), -1, 0)
        values[length++] = 1
        continue
      }
      const place = placeOnScale(value) - LOWEST_KNOT * KNOT
      const knot = place >> KNOT_BITS
      const beyond = (place & (KNOT - 1)) / KNOT
      indices[length] = 1 + f * KNOTS + knot
      values[length++] = 1 - beyond
      if (beyond === 0) continue
      owners[length] = f
      indices[length] = 2 + f * KNOTS + knot
      values[length++] = beyond
    }
    if (this.#crosses.length > 0) partners.fill(-1, 0, length)
    for (let c = 0; c < this.#crosses.length; c += 2) {
      const first = this.#crosses[c]!
      const second = this.#crosses[c + 1]!
      owners[length] = first
      partners[length] = second
      indices[length] = this.#hashedSlot(
        first,
        this.#cell(first, features[first]!),
        second,
        this.#cell(second, features[second]!),
      )
      values[length++] = 1
    }
    example.length = length
  }

  /** What a value counts as inside a cross: the nearest knot, the exact value of a category, or missing. */
  #cell(feature: number, value: number): number {
    if (Number.isNaN(value)) return MISSING
    return this.#categorical[feature] === 1 ? exactBits(value) : Math.round(placeOnScale(value) / KNOT)
  }

  #hashedSlot(first: number, firstCell: number, second: number, secondCell: number): number {
    const hash = mix(mix(mix(mix(0x52_68_65_6f, first), firstCell), second), secondCell)
    return this.#hashedAt + (hash % this.#hashedSize)
  }
}

/** In KNOT-ths of a knot from zero, a whole number: LOWEST_KNOT to HIGHEST_KNOT. */
function placeOnScale(value: number): number {
  float[0] = 1 + 64 * Math.abs(value)
  // exponent and leading mantissa bits of a float64, read as one fixed-point number: log2, straight in each octave
  const place = words[HIGH_WORD]! - 0x3ff00000
  return value < 0 ? Math.max(LOWEST_KNOT * KNOT, -place) : Math.min(HIGHEST_KNOT * KNOT, place)
}

function exactBits(value: number): number {
  float[0] = value === 0 ? 0 : value
  return (words[0]! ^ Math.imul(words[1]!, 0x9e3779b1)) >>> 0
}

/** One round of MurmurHash3's 32-bit finaliser over a running hash. */
function mix(hash: number, part: number): number {
  let h = Math.imul(hash ^ part, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function assertNames(names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) {
    throw new RheoError('CONFIG_INVALID', `feature '${repeated}' is declared twice`, {
      hint: 'Give one of them another name with .as(name).',
    })
  }
}
