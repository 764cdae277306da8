import { ByteReader, ByteWriter } from '../byte-buffer.ts'
import { addValue, compactValues, countValues, lastOccurrenceMs } from './distinct-values.ts'
import { pairDifference, squaredDeviations } from './double-double.ts'
import { EntityBuilder, EntityState, lengthOf, startOf } from './entity-cells.ts'
import { exp2 } from './exp2.ts'
import { greatCircleKm } from './great-circle.ts'
import { type SlidingWindow, windowEdgeMs } from './hops.ts'
import {
  acceptsEvent,
  type DistinctPart,
  InputReader,
  type PlanParts,
  type RecentRead,
  type RowRead,
} from './plan-parts.ts'
import {
  addEvent,
  compactRows,
  type EventInputs,
  lastRowAt,
  readRowAt,
  rowsAt,
  settledMs,
  timesAt,
} from './prefix-rows.ts'
import type { RowLayout } from './row-layout.ts'
import { readList, writeList } from './state-codec.ts'

const FORMAT = 1
const HOUR_MS = 3_600_000
/** One is enough: an entity is built at once. */
const builder = new EntityBuilder()

/**
 * The features of one entity key field: how its state is read, fed and stored.
 *
 * A value for a record at time t aggregates the events fed before with time in (edge, t], where the edge is
 * ⌊(t − size) / hop⌋ · hop. Records may be out of order as far as `watermark − grace`; events fed may be older still.
 * An entity without events for `retentionMs` before `watermark − grace` is forgotten. Everything is a function of the
 * sequence of calls and their watermarks, which must not go back; encoding and decoding in between changes no bit.
 */
export class EntityPlan {
  readonly keyField: string
  /** The event kinds it is to be fed. */
  readonly kinds: readonly string[]
  readonly windows: readonly SlidingWindow[]
  readonly retentionMs: number
  readonly graceMs: number
  /** The plan's slots whose value depends on the entity alone, not on the event that reads. */
  readonly entitySlots: readonly number[]
  readonly #parts: PlanParts
  readonly #readInputs: InputReader
  readonly #readers: readonly InputReader[]
  readonly #inputs: readonly EventInputs[]
  readonly #defaultSlots: Int32Array
  readonly #defaultValues: Float64Array
  readonly #tails: Int32Array
  readonly #edgesMs: readonly Float64Array[][]
  readonly #counts: Float64Array

  constructor(parts: PlanParts) {
    this.keyField = parts.keyField
    this.kinds = parts.sources.map((source) => source.kind)
    this.windows = parts.windows
    this.retentionMs = parts.retentionMs
    this.graceMs = parts.graceMs
    const askedByEvent = new Set(
      parts.sources.flatMap(({ recent, distincts }) =>
        [...(recent?.reads ?? []), ...distincts.flatMap((part) => part.reads)]
          .filter(({ kind }) => kind === 'changed' || kind === 'speed' || kind === 'seen')
          .map(({ slot }) => slot),
      ),
    )
    this.entitySlots = parts.defaults.map(([slot]) => slot).filter((slot) => !askedByEvent.has(slot))
    this.#parts = parts
    this.#readInputs = new InputReader(parts.readInputs)
    this.#readers = parts.sources.map((source) => new InputReader(source.inputs))
    this.#inputs = parts.sources.map((source, s) => ({
      numbers: this.#readers[s]!.out,
      accepted: new Uint8Array(source.filters.length),
    }))
    this.#defaultSlots = Int32Array.from(parts.defaults, ([slot]) => slot)
    this.#defaultValues = Float64Array.from(parts.defaults, ([, value]) => value)
    this.#tails = new Int32Array(parts.windows.length)
    this.#edgesMs = parts.sources.map((source) =>
      source.distincts.map((part) => new Float64Array(part.list.windows.length)),
    )
    this.#counts = new Float64Array(parts.windows.length)
  }

  create(): EntityState {
    return this.#parts.state.create()
  }

  /** Writes the plan's features for a record at `tMs` into `out`, float64 [all features of the scenario]. */
  read(state: EntityState, event: object, tMs: number, watermarkMs: number, out: Float64Array): void {
    this.#touch(state, watermarkMs)
    const settled = settledMs(state.watermarkMs, this.graceMs)
    const slots = this.#defaultSlots
    for (let i = 0; i < slots.length; i++) out[slots[i]!] = this.#defaultValues[i]!
    this.#readInputs.read(event)
    const { sources } = this.#parts
    for (let s = 0; s < sources.length; s++) {
      const { rows, recent, distincts } = sources[s]!
      if (rows !== null) this.#readRows(rows.layout, rows.reads, state.cells, tMs, settled, out)
      if (recent !== null) this.#readRecent(recent.layout, recent.reads, state.cells, tMs, settled, out)
      for (let d = 0; d < distincts.length; d++) {
        this.#readDistinct(distincts[d]!, state.cells, this.#edgesMs[s]![d]!, tMs, out)
      }
    }
  }

  /** Takes in an event of one of the plan's kinds (others change nothing). Amortised O(1) in event-time order. */
  add(state: EntityState, kind: string, event: object, tMs: number, watermarkMs: number): void {
    const s = this.kinds.indexOf(kind)
    if (s < 0) return
    this.#touch(state, watermarkMs)
    if (tMs > state.newestMs) state.newestMs = tMs
    const settled = settledMs(state.watermarkMs, this.graceMs)
    const source = this.#parts.sources[s]!
    const inputs = this.#inputs[s]!
    const { accepted } = inputs
    this.#readers[s]!.read(event)
    for (let f = 0; f < accepted.length; f++) accepted[f] = acceptsEvent(source.filters[f]!, event) ? 1 : 0
    if (source.rows !== null) addEvent(source.rows.layout, state, tMs, inputs, settled)
    if (source.recent !== null) addEvent(source.recent.layout, state, tMs, inputs, settled)
    for (let d = 0; d < source.distincts.length; d++) {
      const part = source.distincts[d]!
      const hash = inputs.numbers[part.input]!
      if (Number.isNaN(hash) || (part.filter >= 0 && accepted[part.filter] === 0)) continue
      addValue(part.list, state, hash, tMs, settled)
    }
  }

  /** Event time: once the watermark is beyond it, the state means the same as a fresh one. */
  expiresAtMs(state: EntityState): number {
    return state.newestMs + this.retentionMs + this.graceMs
  }

  /** The same bytes for the same sequence of events and watermarks, whenever the state was stored in between. */
  encode(state: EntityState): Uint8Array {
    const writer = ByteWriter.borrow()
    writer.varint(FORMAT)
    writer.float64(state.newestMs)
    const settled = settledMs(state.watermarkMs, this.graceMs)
    for (const { rows, recent, distincts } of this.#parts.sources) {
      if (rows !== null) writeRows(writer, rows.layout, state.cells, settled)
      if (recent !== null) writeRows(writer, recent.layout, state.cells, settled)
      for (const { list } of distincts) {
        compactValues(list, state.cells, settled)
        writeList(writer, state.cells, list.list)
      }
    }
    return writer.take()
  }

  copy(state: EntityState): EntityState {
    return new EntityState(state.cells.slice())
  }

  decode(bytes: Uint8Array): EntityState {
    const reader = new ByteReader(bytes)
    const format = reader.varint()
    if (format !== FORMAT) throw new RangeError(`feature state has format ${format}, expected ${FORMAT}`)
    const newestMs = reader.float64()
    builder.begin(this.#parts.state)
    for (const { rows, recent, distincts } of this.#parts.sources) {
      if (rows !== null) readRows(reader, rows.layout)
      if (recent !== null) readRows(reader, recent.layout)
      for (const { list } of distincts) readList(reader, builder, list.list)
    }
    const state = builder.build()
    state.newestMs = newestMs
    return state
  }

  /** Forgets an entity that was silent for too long, exactly when a store may have dropped it. */
  #touch(state: EntityState, watermarkMs: number): void {
    if (watermarkMs > state.watermarkMs) state.watermarkMs = watermarkMs
    if (!(state.watermarkMs > this.expiresAtMs(state)) || state.newestMs === Number.NEGATIVE_INFINITY) return
    const seenMs = state.watermarkMs
    state.cells = this.create().cells
    state.watermarkMs = seenMs
  }

  #readRows(
    layout: RowLayout,
    reads: readonly RowRead[],
    cells: Float64Array,
    tMs: number,
    settled: number,
    out: Float64Array,
  ): void {
    const { list, width, sizesMs, hopsMs } = layout
    if (startOf(cells, list) === 0) return
    const tails = this.#tails
    const times = timesAt(cells, list)
    const rows = rowsAt(cells, list)
    let high = readRowAt(cells, list, tMs, settled)
    const end = rows + high * width
    for (let w = 0; w < sizesMs.length; w++) {
      const hopMs = hopsMs[w]!
      high = lastRowAt(cells, times, Math.floor((tMs - sizesMs[w]!) / hopMs) * hopMs, high)
      tails[w] = rows + high * width
    }
    for (let i = 0; i < reads.length; i++) {
      const read = reads[i]!
      const tail = tails[read.window]!
      const column = read.column
      switch (read.kind) {
        case 'total':
          out[read.slot] = cells[end + column]! - cells[tail + column]!
          break
        case 'sum':
          out[read.slot] = pairDifference(cells, end + column, tail + column)
          break
        case 'mean': {
          const count = cells[end + read.counted]! - cells[tail + read.counted]!
          out[read.slot] = count === 0 ? Number.NaN : pairDifference(cells, end + column, tail + column) / count
          break
        }
        case 'ratio':
          out[read.slot] =
            (cells[end + column]! - cells[tail + column]!) / (cells[end + read.counted]! - cells[tail + read.counted]!)
          break
        case 'variance': {
          const count = cells[end + read.counted]! - cells[tail + read.counted]!
          const squares = read.squares
          out[read.slot] =
            squaredDeviations(cells, end + column, tail + column, end + squares, tail + squares, count) / count
          break
        }
        case 'min': {
          let least = Number.POSITIVE_INFINITY
          for (let at = end; at > tail; at -= width) if (cells[at + column]! < least) least = cells[at + column]!
          out[read.slot] = least === Number.POSITIVE_INFINITY ? Number.NaN : least
          break
        }
        case 'max': {
          let most = Number.NEGATIVE_INFINITY
          for (let at = end; at > tail; at -= width) if (cells[at + column]! > most) most = cells[at + column]!
          out[read.slot] = most === Number.NEGATIVE_INFINITY ? Number.NaN : most
          break
        }
      }
    }
  }

  #readRecent(
    layout: RowLayout,
    reads: readonly RecentRead[],
    cells: Float64Array,
    tMs: number,
    settled: number,
    out: Float64Array,
  ): void {
    const { list, width } = layout
    const landmarks = startOf(cells, list)
    if (landmarks === 0) return
    const row = rowsAt(cells, list) + readRowAt(cells, list, tMs, settled) * width
    const inputs = this.#readInputs.out
    for (let i = 0; i < reads.length; i++) {
      const read = reads[i]!
      const at = row + read.column
      switch (read.kind) {
        case 'decayed': {
          const halfLifeMs = layout.halfLivesMs[read.halfLife]!
          out[read.slot] = cells[at]! * exp2((cells[landmarks + read.halfLife]! * halfLifeMs - tMs) / halfLifeMs)
          break
        }
        case 'quotient':
          out[read.slot] = cells[at]! / cells[row + read.counted]!
          break
        case 'since':
          out[read.slot] = (tMs - cells[at]!) / 1_000
          break
        case 'last':
          out[read.slot] = cells[at]!
          break
        case 'changed': {
          const now = inputs[read.input]!
          const before = cells[at]!
          out[read.slot] = Number.isNaN(now) || Number.isNaN(before) ? Number.NaN : now === before ? 0 : 1
          break
        }
        case 'speed': {
          const km = greatCircleKm(cells[at]!, cells[at + 1]!, inputs[read.input]!, inputs[read.input + 1]!)
          out[read.slot] = (km * HOUR_MS) / Math.max(1_000, tMs - cells[at + 2]!)
          break
        }
      }
    }
  }

  #readDistinct(part: DistinctPart, cells: Float64Array, edgesMs: Float64Array, tMs: number, out: Float64Array): void {
    const { list } = part
    const fed = lengthOf(cells, list.list) > 0
    for (let w = 0; w < edgesMs.length; w++) edgesMs[w] = windowEdgeMs(list.windows[w]!, tMs)
    if (fed && part.counts) countValues(list, cells, tMs, edgesMs, this.#counts)
    for (const read of part.reads) {
      if (read.kind === 'distinct') {
        if (fed) out[read.slot] = this.#counts[read.window]!
        continue
      }
      const hash = this.#readInputs.out[read.input]!
      if (Number.isNaN(hash)) out[read.slot] = Number.NaN
      else if (fed) out[read.slot] = lastOccurrenceMs(list, cells, hash, tMs) > edgesMs[read.window]! ? 1 : 0
    }
  }
}

function writeRows(writer: ByteWriter, layout: RowLayout, cells: Float64Array, settled: number): void {
  const { list } = layout
  const start = startOf(cells, list)
  if (start > 0) compactRows(layout, cells, settled)
  writeList(writer, cells, list)
  if (start > 0) for (let i = 0; i < list.fixed; i++) writer.float64(cells[start + i]!)
}

function readRows(reader: ByteReader, layout: RowLayout): void {
  const { list } = layout
  if (!readList(reader, builder, list)) return
  const { cells } = builder
  const start = startOf(cells, list)
  for (let i = 0; i < list.fixed; i++) cells[start + i] = reader.float64()
}
