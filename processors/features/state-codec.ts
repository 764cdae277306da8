import type { ByteReader, ByteWriter } from '../learners/bytes.ts'

/** What a cell starts with: an even number is a whole-number difference to the cell above, these are the rest. */
const RAW = 1
const SAME = 3

/** Largest difference that is packed: it is stored times four. */
const MAX_PACKED = 2 ** 50

const before = new Float64Array(1)
const beforeBits = new BigUint64Array(before.buffer)
const now = new Float64Array(1)
const nowBits = new BigUint64Array(now.buffer)

/**
 * Writes `length` rows of `stride` cells, column by column: whole-number differences as zigzag varints, the same bits
 * again as one byte, all else as 8 bytes. Bits are kept, NaN and −0 included.
 */
export function writeColumns(writer: ByteWriter, cells: Float64Array, stride: number, length: number): void {
  writer.varint(length)
  for (let column = 0; column < stride; column++) {
    before[0] = 0
    for (let row = 0; row < length; row++) {
      now[0] = cells[row * stride + column]!
      const difference = now[0] - before[0]
      if (nowBits[0] === beforeBits[0]) writer.varint(SAME)
      else if (packs(difference)) writer.varint((difference < 0 ? -2 * difference - 1 : 2 * difference) * 2)
      else {
        writer.varint(RAW)
        writer.float64(now[0])
      }
      before[0] = now[0]
    }
  }
}

/** Whether adding the difference to the cell above gives back this cell, to the bit. */
function packs(difference: number): boolean {
  return (
    Number.isInteger(difference) &&
    Math.abs(difference) < MAX_PACKED &&
    Number.isSafeInteger(now[0]) &&
    Number.isSafeInteger(before[0]) &&
    !Object.is(now[0], -0)
  )
}

/** Reads what `writeColumns` wrote. */
export function readColumns(reader: ByteReader, stride: number): { cells: Float64Array; length: number } {
  const length = reader.varint()
  const cells = new Float64Array(length * stride)
  for (let column = 0; column < stride; column++) {
    let above = 0
    for (let row = 0; row < length; row++) {
      const token = reader.varint()
      if (token === RAW) above = reader.float64()
      else if (token !== SAME) {
        const zigzag = token / 2
        above += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
      }
      cells[row * stride + column] = above
    }
  }
  return { cells, length }
}
