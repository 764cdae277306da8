import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { hash53 } from './value-hash.ts'

/** Numbers per remembered id: two hashes, 64 bits in all, and the event time. An empty slot has no time (NaN). */
const STRIDE = 3
const FIRST_SLOTS = 16
const MAX_IDS = 65_536

export type Admission = 'new' | 'duplicate' | 'late'

/** The ids that one key has seen lately, as an open-addressed table at most half full. */
export class SeenIds {
  cells: Float64Array
  length = 0
  newestMs = Number.NEGATIVE_INFINITY
  watermarkMs = Number.NEGATIVE_INFINITY

  constructor(slots: number = FIRST_SLOTS) {
    this.cells = emptySlots(slots)
  }
}

export interface AdmissionControl {
  create(): SeenIds
  /**
   * Decides on one record: 'late' when its event time is before watermark − grace; 'duplicate' when the same id was
   * admitted for this key with an event time less than the id window away; else 'new', and remembered. O(1) amortised.
   */
  admit(state: SeenIds, eventId: string, tMs: number, watermarkMs: number): Admission
  copy(state: SeenIds): SeenIds
  encode(state: SeenIds): Uint8Array
  decode(bytes: Uint8Array): SeenIds
  /** Event time: once the watermark is beyond it, nothing remembered can matter. */
  expiresAtMs(state: SeenIds): number
}

/**
 * Duplicates and late records at the first keyed stage, where a duplicate meets its original. Ids are kept as 64-bit
 * hashes, at most `maxIds` per key: beyond that the quarter with the oldest event times is forgotten.
 */
export function createAdmission(options: {
  readonly idWindowMs: number
  readonly graceMs: number
  readonly maxIds?: number
}): AdmissionControl {
  const { idWindowMs, graceMs } = options
  const maxIds = options.maxIds ?? MAX_IDS
  const forgottenBeforeMs = (state: SeenIds): number => state.watermarkMs - graceMs - idWindowMs
  return {
    create: () => new SeenIds(),
    admit(state, eventId, tMs, watermarkMs) {
      if (watermarkMs > state.watermarkMs) state.watermarkMs = watermarkMs
      if (tMs < state.watermarkMs - graceMs) return 'late'
      const a = hash53(eventId) % 4_294_967_296
      const b = hash53(eventId, 0x5bd1e995) % 4_294_967_296
      if (isDuplicate(state, a, b, tMs, idWindowMs)) return 'duplicate'
      if (state.length >= maxIds) rebuild(state, forgottenBeforeMs(state), maxIds)
      if ((state.length + 1) * 2 > state.cells.length / STRIDE) rebuild(state, forgottenBeforeMs(state), maxIds)
      place(state, a, b, tMs)
      if (tMs > state.newestMs) state.newestMs = tMs
      return 'new'
    },
    copy: (state) => Object.assign(new SeenIds(0), state, { cells: state.cells.slice() }),
    encode(state) {
      const kept = keptSorted(state, forgottenBeforeMs(state))
      const writer = ByteWriter.borrow()
      writer.float64(state.newestMs)
      const cells = Float64Array.from(kept.flat())
      writer.varint(kept.length)
      for (let column = 0; column < STRIDE; column++) writer.column(cells, column, STRIDE, kept.length)
      return writer.take()
    },
    decode(bytes) {
      const reader = new ByteReader(bytes)
      const newestMs = reader.float64()
      const length = reader.varint()
      const cells = new Float64Array(length * STRIDE)
      for (let column = 0; column < STRIDE; column++) reader.column(cells, column, STRIDE, length)
      const state = new SeenIds(slotsFor(length))
      state.newestMs = newestMs
      for (let i = 0; i < length; i++) place(state, cells[i * STRIDE]!, cells[i * STRIDE + 1]!, cells[i * STRIDE + 2]!)
      return state
    },
    expiresAtMs: (state) => state.newestMs + idWindowMs + graceMs,
  }
}

type Id = readonly [a: number, b: number, tMs: number]

function isDuplicate(state: SeenIds, a: number, b: number, tMs: number, idWindowMs: number): boolean {
  const { cells } = state
  const mask = cells.length / STRIDE - 1
  for (let slot = a & mask; ; slot = (slot + 1) & mask) {
    const at = slot * STRIDE
    if (Number.isNaN(cells[at + 2]!)) return false
    if (cells[at] === a && cells[at + 1] === b && Math.abs(cells[at + 2]! - tMs) < idWindowMs) return true
  }
}

function place(state: SeenIds, a: number, b: number, tMs: number): void {
  const { cells } = state
  const mask = cells.length / STRIDE - 1
  let slot = a & mask
  while (!Number.isNaN(cells[slot * STRIDE + 2]!)) slot = (slot + 1) & mask
  cells[slot * STRIDE] = a
  cells[slot * STRIDE + 1] = b
  cells[slot * STRIDE + 2] = tMs
  state.length++
}

/** Forgets ids that no admitted record can repeat, and the oldest beyond the bound; sizes the table for what stays. */
function rebuild(state: SeenIds, forgottenBeforeMs: number, maxIds: number): void {
  let kept = keptSorted(state, forgottenBeforeMs)
  if (kept.length >= maxIds) kept = kept.slice(Math.ceil(maxIds / 4))
  state.cells = emptySlots(slotsFor(kept.length))
  state.length = 0
  for (const [a, b, tMs] of kept) place(state, a, b, tMs)
}

/** In the order of event time, then hash: the same ids whatever the table's size and history. */
function keptSorted(state: SeenIds, forgottenBeforeMs: number): readonly Id[] {
  const kept: Id[] = []
  const { cells } = state
  for (let at = 0; at < cells.length; at += STRIDE) {
    if (cells[at + 2]! > forgottenBeforeMs) kept.push([cells[at]!, cells[at + 1]!, cells[at + 2]!])
  }
  return kept.sort((x, y) => x[2] - y[2] || x[0] - y[0] || x[1] - y[1])
}

/** A power of two at least three times the ids, so that a table fills for a while before it is rebuilt. */
function slotsFor(ids: number): number {
  let slots = FIRST_SLOTS
  while (slots < ids * 3) slots *= 2
  return slots
}

function emptySlots(slots: number): Float64Array {
  const cells = new Float64Array(slots * STRIDE)
  for (let at = 2; at < cells.length; at += STRIDE) cells[at] = Number.NaN
  return cells
}
