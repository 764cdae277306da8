import { portableExp, portableLn } from './portable-math.ts'

/**
 * A seeded stream of random numbers: the same numbers for the same seed on every machine. The seed is an argument, so
 * what uses it stays a pure function.
 */
export interface Random {
  /** Uniform in [0, 2^32). */
  uint32(): number
  /** Uniform in [0, 1), 32 bits. */
  float(): number
  /** Uniform whole number in [0, below), below ≤ 2^31. */
  below(below: number): number
  chance(probability: number): boolean
  /** Standard normal. */
  normal(): number
  /** e^(sigma · normal): the median is 1. */
  lognormal(sigma: number): number
  /** Exponential with the given mean. */
  exponential(mean: number): number
  /** Poisson; by multiplication of uniforms, so the cost grows with the mean. */
  poisson(mean: number): number
}

const UINT32 = 2 ** 32

/**
 * xoshiro128** (Blackman and Vigna 2018), seeded by splitmix32 from `seed` and `stream`. Streams of one seed are
 * independent: what is drawn from one changes nothing in another.
 */
export function createRandom(seed: number, stream: number): Random {
  const state = seeded(seed, stream)
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!

  function uint32(): number {
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return result
  }
  const float = (): number => uint32() / UINT32
  const normal = (): number => normalQuantile((uint32() + 0.5) / UINT32)
  return {
    uint32,
    float,
    below: (below) => Math.floor(float() * below),
    chance: (probability) => float() < probability,
    normal,
    lognormal: (sigma) => portableExp(sigma * normal()),
    exponential: (mean) => -mean * portableLn((uint32() + 0.5) / UINT32),
    poisson(mean) {
      const limit = portableExp(-mean)
      let count = 0
      for (let product = float(); product > limit; product *= float()) count++
      return count
    },
  }
}

/** A well mixed 32-bit hash of three numbers: a random number that belongs to a thing, not to a moment. */
export function hash32(seed: number, stream: number, index: number): number {
  return mix(mix(mix(seed | 0) ^ (stream | 0)) ^ (index | 0)) >>> 0
}

function seeded(seed: number, stream: number): Int32Array {
  const state = new Int32Array(4)
  let z = hash32(seed, stream, Math.floor(seed / UINT32)) | 0
  for (let i = 0; i < 4; i++) {
    z = (z + 0x9e3779b9) | 0
    state[i] = mix(z)
  }
  if (state.every((word) => word === 0)) state[0] = 1
  return state
}

function mix(value: number): number {
  let z = (value + 0x9e3779b9) | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return z ^ (z >>> 15)
}

/** The standard normal's quantile (Acklam 2003, relative error < 1.2e-9), 0 < p < 1. */
export function normalQuantile(p: number): number {
  if (p < 0.02425) return tailQuantile(p)
  if (p > 0.97575) return -tailQuantile(1 - p)
  const q = p - 0.5
  const r = q * q
  const numerator =
    ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
      30.66479806614716) *
      r +
    2.506628277459239
  const denominator =
    ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) *
      r +
    1
  return (q * numerator) / denominator
}

function tailQuantile(p: number): number {
  const q = Math.sqrt(-2 * portableLn(p))
  const numerator =
    ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
    2.938163982698783
  const denominator =
    (((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1
  return numerator / denominator
}
