/**
 * Exponential, logarithm and logistic function of Rheo's learners, by additions, multiplications and divisions of
 * float64 alone. `Math.exp` and `Math.log` may differ in the last bit between JavaScript engines, and a score is part
 * of the log: with these, replays agree on every engine.
 *
 * Source: the argument reductions and polynomials of FreeBSD msun `e_exp.c` and `e_log.c` (Sun Microsystems 1993).
 */

const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const INVERSE_LN2 = Math.LOG2E

/** 2^k for k from -1074 to 1023, exact: POWER_OF_TWO[k + 1074]. */
const POWER_OF_TWO = new Float64Array(2098)
POWER_OF_TWO[1074] = 1
for (let k = 1; k <= 1023; k++) POWER_OF_TWO[1074 + k] = POWER_OF_TWO[1073 + k]! * 2
for (let k = 1; k <= 1074; k++) POWER_OF_TWO[1074 - k] = POWER_OF_TWO[1075 - k]! / 2

/** e^x, within one unit in the last place. 0 below -745.2, Infinity above 709.8, NaN for NaN. */
export function exp(x: number): number {
  if (!(x <= 709.782712893384)) return x > 0 ? Number.POSITIVE_INFINITY : Number.NaN
  if (x < -745.1332191019412) return 0
  const k = Math.floor(x * INVERSE_LN2 + 0.5)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const t = r * r
  const c =
    r -
    t *
      (0.16666666666666602 +
        t *
          (-0.0027777777777015593 +
            t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * 4.1381367970572385e-8))))
  const y = 1 - (low - (r * c) / (2 - c) - high)
  if (k > 1023) return y * 2 * POWER_OF_TWO[2097]!
  if (k < -1021) return y * POWER_OF_TWO[k + 1128]! * POWER_OF_TWO[1020]! // 2^(k + 54) · 2^-54
  return y * POWER_OF_TWO[k + 1074]!
}

/** The logistic function 1 / (1 + e^-x): log-odds to probability. Increasing; 0 and 1 only where float64 rounds to them. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + exp(-x))
  const e = exp(x)
  return e / (1 + e)
}

const parts = new DataView(new ArrayBuffer(8))

/** Natural logarithm, within one unit in the last place. -Infinity at 0, NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN
  if (x === Number.POSITIVE_INFINITY) return x
  const subnormal = x < 2.2250738585072014e-308
  parts.setFloat64(0, subnormal ? x * 18014398509481984 : x)
  const high = parts.getUint32(0)
  // x = 2^k · m with m in [√½, √2)
  let k = (high >>> 20) - 1023 - (subnormal ? 54 : 0)
  let mantissa = high & 0xfffff
  const carry = (mantissa + 0x95f64) & 0x100000
  mantissa |= carry ^ 0x3ff00000
  k += carry >>> 20
  parts.setUint32(0, mantissa)
  const f = parts.getFloat64(0) - 1
  const s = f / (2 + f)
  const z = s * s
  const w = z * z
  const even = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373))
  const odd = z * (0.6666666666666735 + w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)))
  const half = 0.5 * f * f
  return k * LN2_HIGH - (half - (s * (half + even + odd) + k * LN2_LOW) - f)
}

/** ln(p / (1 - p)): probability to log-odds, the inverse of `sigmoid`. ±Infinity at 0 and 1. */
export function logOdds(probability: number): number {
  return log(probability / (1 - probability))
}

/** Loss of stating log-odds `x` where the truth is `label`: -ln of the probability given to what happened. Never negative. */
export function logLoss(x: number, label: 0 | 1): number {
  const margin = label === 1 ? x : -x
  return margin >= 0 ? log(1 + exp(-margin)) : log(1 + exp(margin)) - margin
}
