import { portableExp } from '../portable-math.ts'

/** 2^x, exact for whole x ≥ −1074, else within a few units in the last place; the same bits on every machine. */
export function exp2(x: number): number {
  const whole = Math.round(x)
  if (whole < -1_080) return 0
  let scale = 1
  const fraction = x - whole
  if (whole >= -1_022 && whole <= 1_023) scale = powerOfTwo(whole)
  else if (whole > 1_023) return Number.POSITIVE_INFINITY
  else scale = powerOfTwo(whole + 200) * powerOfTwo(-200)
  return fraction === 0 ? scale : scale * portableExp(fraction * Math.LN2)
}

const bits = new DataView(new ArrayBuffer(8))

function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1_023) << 20)
  return bits.getFloat64(0)
}
