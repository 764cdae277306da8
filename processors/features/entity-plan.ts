import { ByteReader, ByteWriter } from '../learners/bytes.ts'
import {
  addValue,
  compactValues,
  countValues,
  DISTINCT_STRIDE,
  DistinctValues,
  lastOccurrenceMs,
} from './distinct-values.ts'
import { pairDifference, squaredDeviations } from './double-double.ts'
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
  emptyRows,
  lastRowAt,
  PrefixRows,
  readRowAt,
  settledMs,
} from './prefix-rows.ts'
import type { RowLayout } from './row-layout.ts'
import { readColumns, writeColumns } from './state-codec.ts'

const FORMAT = 1
const HOUR_MS = 3_600_000
const NO_CELLS = new Float64Array(0)

/** All that is kept about one entity: per event kind two lists of rows and the sets of values, made when first fed. */
export class EntityState {
  newestMs = Number.NEGATIVE_INFINITY
  /** The newest watermark seen; not stored. */
  watermarkMs = Number.NEGATIVE_INFINITY
  readonly rows: (PrefixRows | null)[]
  readonly recents: (PrefixRows | null)[]
  readonly distincts: (DistinctValues | null)[][]

  constructor(rows: (PrefixRows | null)[], recents: (PrefixRows | null)[], distincts: (DistinctValues | null)[][]) {
    this.rows = rows
    this.recents = recents
    this.distincts = distincts
  }
}

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
  /** Slots whose value depends on the event that reads, not on the entity alone. */
  readonly eventSlots: ReadonlySet<number>
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
    this.eventSlots = new Set(
      parts.sources.flatMap(({ recent, distincts }) =>
        [...(recent?.reads ?? []), ...distincts.flatMap((part) => part.reads)]
          .filter(({ kind }) => kind === 'changed' || kind === 'speed' || kind === 'seen')
          .map(({ slot }) => slot),
      ),
    )
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
    this.#edgesMs = parts.sources.map((source) => source.distincts.map((part) => new Float64Array(part.windows.length)))
    this.#counts = new Float64Array(parts.windows.length)
  }

  create(): EntityState {
    const { sources } = this.#parts
    return new EntityState(
      sources.map(() => null),
      sources.map(() => null),
      sources.map((source) => source.distincts.map(() => null)),
    )
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
      const source = sources[s]!
      const rows = state.rows[s]
      if (rows != null) this.#readRows(source.rows!.layout, source.rows!.reads, rows, tMs, settled, out)
      const recent = state.recents[s]
      if (recent != null) this.#readRecent(source.recent!.layout, source.recent!.reads, recent, tMs, settled, out)
      const { distincts } = source
      for (let d = 0; d < distincts.length; d++) {
        this.#readDistinct(distincts[d]!, state.distincts[s]![d] ?? null, this.#edgesMs[s]![d]!, tMs, out)
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
    if (source.rows !== null) {
      const list = state.rows[s] ?? emptyRows(source.rows.layout)
      state.rows[s] = list
      addEvent(source.rows.layout, list, tMs, inputs, settled)
    }
    if (source.recent !== null) {
      const list = state.recents[s] ?? emptyRows(source.recent.layout)
      state.recents[s] = list
      addEvent(source.recent.layout, list, tMs, inputs, settled)
    }
    for (let d = 0; d < source.distincts.length; d++) {
      const part = source.distincts[d]!
      const hash = inputs.numbers[part.input]!
      if (Number.isNaN(hash) || (part.filter >= 0 && accepted[part.filter] === 0)) continue
      const list = state.distincts[s]![d] ?? new DistinctValues()
      state.distincts[s]![d] = list
      addValue(list, hash, tMs, part.windows, settled, this.#parts.distinctBound)
    }
  }

  /** Event time: once the watermark is beyond it, the state means the same as a fresh one. */
  expiresAtMs(state: EntityState): number {
    return state.newestMs + this.retentionMs + this.graceMs
  }

  /** The same bytes for the same sequence of events and watermarks, whenever the state was stored in between. */
  encode(state: EntityState): Uint8Array {
    const writer = new ByteWriter()
    writer.varint(FORMAT)
    writer.float64(state.newestMs)
    const settled = settledMs(state.watermarkMs, this.graceMs)
    this.#parts.sources.forEach((source, s) => {
      writeRows(writer, source.rows?.layout, state.rows[s] ?? null, settled)
      writeRows(writer, source.recent?.layout, state.recents[s] ?? null, settled)
      source.distincts.forEach((part, d) => {
        const list = state.distincts[s]![d] ?? null
        if (list !== null) compactValues(list, part.windows, settled)
        writeColumns(writer, list?.cells ?? NO_CELLS, DISTINCT_STRIDE, list?.length ?? 0)
      })
    })
    return writer.finish()
  }

  decode(bytes: Uint8Array): EntityState {
    const reader = new ByteReader(bytes)
    const format = reader.varint()
    if (format !== FORMAT) throw new RangeError(`feature state has format ${format}, expected ${FORMAT}`)
    const state = this.create()
    state.newestMs = reader.float64()
    this.#parts.sources.forEach((source, s) => {
      state.rows[s] = readRows(reader, source.rows?.layout)
      state.recents[s] = readRows(reader, source.recent?.layout)
      source.distincts.forEach((_, d) => {
        const { cells, length } = readColumns(reader, DISTINCT_STRIDE)
        if (length === 0) return
        state.distincts[s]![d] = new DistinctValues(cells, length)
      })
    })
    return state
  }

  /** Forgets an entity that was silent for too long, exactly when a store may have dropped it. */
  #touch(state: EntityState, watermarkMs: number): void {
    if (watermarkMs > state.watermarkMs) state.watermarkMs = watermarkMs
    if (!(state.watermarkMs > this.expiresAtMs(state)) || state.newestMs === Number.NEGATIVE_INFINITY) return
    state.newestMs = Number.NEGATIVE_INFINITY
    state.rows.fill(null)
    state.recents.fill(null)
    for (const lists of state.distincts) lists.fill(null)
  }

  #readRows(
    layout: RowLayout,
    reads: readonly RowRead[],
    list: PrefixRows,
    tMs: number,
    settled: number,
    out: Float64Array,
  ): void {
    const { cells } = list
    const { stride, sizesMs, hopsMs } = layout
    const tails = this.#tails
    const endRow = readRowAt(list, stride, tMs, settled)
    const end = endRow * stride
    let high = endRow
    for (let w = 0; w < sizesMs.length; w++) {
      const hopMs = hopsMs[w]!
      high = lastRowAt(list, stride, Math.floor((tMs - sizesMs[w]!) / hopMs) * hopMs, high)
      tails[w] = high * stride
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
          for (let at = end; at > tail; at -= stride) if (cells[at + column]! < least) least = cells[at + column]!
          out[read.slot] = least === Number.POSITIVE_INFINITY ? Number.NaN : least
          break
        }
        case 'max': {
          let most = Number.NEGATIVE_INFINITY
          for (let at = end; at > tail; at -= stride) if (cells[at + column]! > most) most = cells[at + column]!
          out[read.slot] = most === Number.NEGATIVE_INFINITY ? Number.NaN : most
          break
        }
      }
    }
  }

  #readRecent(
    layout: RowLayout,
    reads: readonly RecentRead[],
    list: PrefixRows,
    tMs: number,
    settled: number,
    out: Float64Array,
  ): void {
    const { cells } = list
    const row = readRowAt(list, layout.stride, tMs, settled) * layout.stride
    const inputs = this.#readInputs.out
    for (let i = 0; i < reads.length; i++) {
      const read = reads[i]!
      const at = row + read.column
      switch (read.kind) {
        case 'decayed': {
          const halfLifeMs = layout.halfLivesMs[read.halfLife]!
          out[read.slot] = cells[at]! * exp2((list.landmarks![read.halfLife]! * halfLifeMs - tMs) / halfLifeMs)
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

  #readDistinct(
    part: DistinctPart,
    list: DistinctValues | null,
    edgesMs: Float64Array,
    tMs: number,
    out: Float64Array,
  ): void {
    for (let w = 0; w < edgesMs.length; w++) edgesMs[w] = windowEdgeMs(part.windows[w]!, tMs)
    if (list !== null && part.counts) countValues(list, tMs, edgesMs, this.#counts)
    for (const read of part.reads) {
      if (read.kind === 'distinct') {
        if (list !== null) out[read.slot] = this.#counts[read.window]!
        continue
      }
      const hash = this.#readInputs.out[read.input]!
      if (Number.isNaN(hash)) out[read.slot] = Number.NaN
      else if (list !== null) out[read.slot] = lastOccurrenceMs(list, hash, tMs) > edgesMs[read.window]! ? 1 : 0
    }
  }
}

function writeRows(writer: ByteWriter, layout: RowLayout | undefined, list: PrefixRows | null, settled: number): void {
  if (layout === undefined) return
  if (list === null) {
    writer.varint(0)
    return
  }
  compactRows(layout, list, settled)
  writeColumns(writer, list.cells, layout.stride, list.length)
  if (list.landmarks !== null) for (const landmark of list.landmarks) writer.float64(landmark)
}

function readRows(reader: ByteReader, layout: RowLayout | undefined): PrefixRows | null {
  if (layout === undefined) return null
  const { cells, length } = readColumns(reader, layout.stride)
  if (length === 0) return null
  const landmarks = layout.halfLivesMs.length === 0 ? null : layout.halfLivesMs.map(() => reader.float64())
  return new PrefixRows(cells, length, landmarks)
}
