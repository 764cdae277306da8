import type { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { blocksAt, capacityOf, type EntityBuilder, type ListShape, lengthOf } from './entity-cells.ts'

/** Writes a list of an entity: how many rows, then column by column. */
export function writeList(writer: ByteWriter, cells: Float64Array, list: ListShape): void {
  const length = lengthOf(cells, list)
  writer.varint(length)
  eachColumn(cells, list, (first, stride) => writer.column(cells, first, stride, length))
}

/** Reads what `writeList` wrote into an entity being built. Returns whether there were any rows. */
export function readList(reader: ByteReader, builder: EntityBuilder, list: ListShape): boolean {
  const length = reader.varint()
  if (length === 0) return false
  const cells = builder.add(list, length)
  eachColumn(cells, list, (first, stride) => reader.column(cells, first, stride, length))
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
