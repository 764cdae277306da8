/**
 * Exponential and logarithm from the four basic operations, which IEEE 754 fixes to the bit. `Math.exp` and `Math.log`
 * may differ in the last bit between engines and machines; seeded worlds must not.
 */

// ln 2 in two parts: whole multiples of the first are exact.
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const scratch = new DataView(new ArrayBuffer(8))

/** e^x, relative error < 1e-15 for |x| ≤ 700; 0 below, Infinity above. */
export function portableExp(x: number): number {
  if (x > 709) return Number.POSITIVE_INFINITY
  if (x < -700) return 0
  const k = Math.round(x / Math.LN2)
  const r = x - k * LN2_HIGH - k * LN2_LOW
  let term = 1
  let sum = 1
  for (let n = 1; n <= 14; n++) {
    term = (term * r) / n
    sum += term
  }
  scratch.setFloat64(0, sum)
  scratch.setUint32(0, scratch.getUint32(0) + (k << 20))
  return scratch.getFloat64(0)
}

/** ln x for normal x > 0, absolute error < 1e-15 · max(1, |ln x|). NaN for x ≤ 0. */
export function portableLn(x: number): number {
  if (!(x > 0)) return Number.NaN
  scratch.setFloat64(0, x)
  const high = scratch.getUint32(0)
  let exponent = (high >>> 20) - 1023
  scratch.setUint32(0, (high & 0x000fffff) | 0x3ff00000)
  let mantissa = scratch.getFloat64(0)
  if (mantissa > Math.SQRT2) {
    mantissa /= 2
    exponent += 1
  }
  const s = (mantissa - 1) / (mantissa + 1)
  const square = s * s
  let power = s
  let sum = 0
  for (let n = 1; n <= 23; n += 2) {
    sum += power / n
    power *= square
  }
  return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * sum)
}
