import type { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { blocksAt, capacityOf, type EntityState, type ListShape, lengthOf, reserve, setLength } from './entity-cells.ts'

/** What a cell starts with: an even number is a whole-number difference to the cell above, these are the rest. */
const RAW = 1
const SAME = 3

/** Largest difference that is packed: it is stored times four. */
const MAX_PACKED = 2 ** 50

const before = new Float64Array(1)
const beforeBits = new Uint32Array(before.buffer)
const now = new Float64Array(1)
const nowBits = new Uint32Array(now.buffer)

/**
 * Writes one column of `length` cells, `stride` apart: whole-number differences as zigzag varints, the same bits again as
 * one byte, all else as 8 bytes. Bits are kept, NaN and −0 included.
 */
export function writeColumn(
  writer: ByteWriter,
  cells: Float64Array,
  first: number,
  stride: number,
  length: number,
): void {
  before[0] = 0
  for (let row = 0; row < length; row++) {
    now[0] = cells[first + row * stride]!
    const difference = now[0] - before[0]
    if (nowBits[0] === beforeBits[0] && nowBits[1] === beforeBits[1]) writer.varint(SAME)
    else if (packs(difference)) writer.varint((difference < 0 ? -2 * difference - 1 : 2 * difference) * 2)
    else {
      writer.varint(RAW)
      writer.float64(now[0])
    }
    before[0] = now[0]
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

/** Reads what `writeColumn` wrote. */
export function readColumn(
  reader: ByteReader,
  cells: Float64Array,
  first: number,
  stride: number,
  length: number,
): void {
  let above = 0
  for (let row = 0; row < length; row++) {
    const token = reader.varint()
    if (token === RAW) above = reader.float64()
    else if (token !== SAME) {
      const zigzag = token / 2
      above += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
    cells[first + row * stride] = above
  }
}

/** Writes a list of an entity: how many rows, then column by column. */
export function writeList(writer: ByteWriter, cells: Float64Array, list: ListShape): void {
  const length = lengthOf(cells, list)
  writer.varint(length)
  eachColumn(cells, list, (first, stride) => writeColumn(writer, cells, first, stride, length))
}

/** Reads what `writeList` wrote into a new entity. Returns whether there were any rows. */
export function readList(reader: ByteReader, state: EntityState, list: ListShape): boolean {
  const length = reader.varint()
  if (length === 0) return false
  reserve(state, list, length)
  setLength(state.cells, list, length)
  eachColumn(state.cells, list, (first, stride) => readColumn(reader, state.cells, first, stride, length))
  return true
}

function eachColumn(cells: Float64Array, list: ListShape, visit: (first: number, stride: number) => void): void {
  const capacity = capacityOf(cells, list)
  let at = blocksAt(cells, list)
  for (const columns of list.blocks) {
    for (let column = 0; column < columns; column++) visit(at + column, columns)
    at += capacity * columns
  }
}
