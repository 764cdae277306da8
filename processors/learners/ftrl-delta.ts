import { ByteReader, ByteWriter } from '../byte-buffer.ts'

/**
 * How weights travel from the learner to the scorers.
 *
 *   delta  = count:varint entry{count}
 *   entry  = varint(gap · 2 + nonzero) weight:float32 if nonzero
 *
 * Entries stand in ascending order of slot; gap is the slot less the previous one (the first less -1).
 */
export function encodeDelta(slots: ArrayLike<number>, count: number, weightAt: (slot: number) => number): Uint8Array {
  const writer = new ByteWriter()
  writer.varint(count)
  let previous = -1
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!
    const weight = weightAt(slot)
    writer.varint((slot - previous) * 2 + (weight === 0 ? 0 : 1))
    if (weight !== 0) writer.float32(weight)
    previous = slot
  }
  return writer.take()
}

/** Calls `each` for every slot of a delta, ascending. Throws a RangeError where the bytes end too early. */
export function readDelta(delta: Uint8Array, each: (slot: number, weight: number) => void): void {
  const reader = new ByteReader(delta)
  const count = reader.varint()
  let slot = -1
  for (let i = 0; i < count; i++) {
    const head = reader.varint()
    slot += Math.floor(head / 2)
    each(slot, head % 2 === 1 ? reader.float32() : 0)
  }
}
