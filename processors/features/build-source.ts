import type { EventFilter } from './declare.ts'
import { type DistinctList, distinctList } from './distinct-values.ts'
import type { StateLayout } from './entity-cells.ts'
import type { EntityFeaturePart } from './feature-names.ts'
import type { SlidingWindow } from './hops.ts'
import type { DistinctPart, DistinctRead, FieldInput, RecentRead, RowRead, SourcePart } from './plan-parts.ts'
import { type DecayedInput, Op, RowLayout } from './row-layout.ts'

/** A feature with its place in the feature vector. */
export interface PlacedFeature extends EntityFeaturePart {
  readonly slot: number
}

/** The columns of one list while it is being laid out; the same operation is kept once. */
class Columns {
  readonly ops: number[] = []
  readonly decayed: DecayedInput[] = []
  readonly base: number[] = []
  readonly #known = new Map<string, number>()

  /** The first of `initial.length` columns that this operation keeps. */
  place(code: number, input: number, filter: number, initial: readonly number[]): number {
    return this.#once(`${code}/${input}/${filter}`, initial, (column) => this.ops.push(code, column, input, filter))
  }

  placeDecayed(term: Omit<DecayedInput, 'column'>): number {
    return this.#once(JSON.stringify(term), [0], (column) => this.decayed.push({ ...term, column }))
  }

  #once(id: string, initial: readonly number[], add: (column: number) => void): number {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const column = this.base.length
    this.base.push(...initial)
    this.#known.set(id, column)
    add(column)
    return column
  }
}

/**
 * Lays out what one event kind feeds. `readInputs` is extended by what features need of the event that reads, `state` by
 * the lists.
 */
export function buildSource(
  kind: string,
  features: readonly PlacedFeature[],
  planWindows: readonly SlidingWindow[],
  required: ReadonlySet<string>,
  readInputs: FieldInput[],
  state: StateLayout,
  distinctBound: number,
): SourcePart {
  const inputs: FieldInput[] = []
  const filters: EventFilter[] = []
  const filterOf = (feature: PlacedFeature): number => indexOf(filters, feature.spec.where)
  const numberOf = (feature: PlacedFeature): number => inputIndex(inputs, [feature.spec.fields[0]!], 'number')

  const windowed = features.filter((f) => f.windowMs !== null && !isDistinct(f))
  const windows = windowsOf(windowed, planWindows)
  const rows = new Columns()
  const rowReads = windowed.map((feature): RowRead => {
    const { slot } = feature
    const window = windows.findIndex((w) => w.sizeMs === feature.windowMs)
    const filter = filterOf(feature)
    if (feature.spec.aggregate === 'count') {
      return { kind: 'total', slot, window, column: rows.place(Op.Count, 0, filter, [0]) }
    }
    const input = numberOf(feature)
    const counted = (): number =>
      required.has(feature.spec.fields[0]!)
        ? rows.place(Op.Count, 0, filter, [0])
        : rows.place(Op.Present, input, filter, [0])
    switch (feature.spec.aggregate) {
      case 'sum':
        return { kind: 'sum', slot, window, column: rows.place(Op.Sum, input, filter, [0, 0]) }
      case 'mean':
        return { kind: 'mean', slot, window, column: rows.place(Op.Sum, input, filter, [0, 0]), counted: counted() }
      case 'ratio':
        return { kind: 'ratio', slot, window, column: rows.place(Op.True, input, filter, [0]), counted: counted() }
      case 'variance': {
        const column = rows.place(Op.Sum, input, filter, [0, 0])
        const squares = rows.place(Op.Squares, input, filter, [0, 0])
        return { kind: 'variance', slot, window, column, squares, counted: counted() }
      }
      case 'min':
        return { kind: 'min', slot, window, column: rows.place(Op.Min, input, filter, [Number.POSITIVE_INFINITY]) }
      case 'max':
        return { kind: 'max', slot, window, column: rows.place(Op.Max, input, filter, [Number.NEGATIVE_INFINITY]) }
      default:
        throw new TypeError(`${feature.spec.aggregate} has no window`)
    }
  })

  const newest = features.filter((f) => f.windowMs === null)
  const halfLivesMs = [...new Set(newest.flatMap((f) => (f.halfLifeMs === null ? [] : [f.halfLifeMs])))]
  const recent = new Columns()
  const recentReads = newest.map((feature): RecentRead => {
    const { slot } = feature
    const filter = filterOf(feature)
    const { aggregate, fields } = feature.spec
    const halfLife = feature.halfLifeMs === null ? -1 : halfLivesMs.indexOf(feature.halfLifeMs)
    switch (aggregate) {
      case 'count':
        return { kind: 'decayed', slot, column: recent.place(Op.Decay, halfLife, filter, [0]), halfLife }
      case 'mean':
      case 'ratio': {
        const input = numberOf(feature)
        const adds = aggregate === 'mean' ? 'value' : 'true'
        const column = recent.placeDecayed({ input, filter, halfLife, adds })
        const counted = required.has(fields[0]!)
          ? recent.place(Op.Decay, halfLife, filter, [0])
          : recent.placeDecayed({ input, filter, halfLife, adds: 'present' })
        return { kind: 'quotient', slot, column, counted }
      }
      case 'sinceLast':
        return { kind: 'since', slot, column: recent.place(Op.Since, 0, filter, [Number.NaN]) }
      case 'last':
        return {
          kind: 'last',
          slot,
          column: recent.place(Op.Last, numberOf(feature), filter, [Number.NaN, Number.NaN]),
        }
      case 'changed': {
        const input = inputIndex(inputs, [fields[0]!], 'hash')
        const column = recent.place(Op.Last, input, filter, [Number.NaN, Number.NaN])
        return { kind: 'changed', slot, column, input: inputIndex(readInputs, [fields[0]!], 'hash') }
      }
      case 'speed': {
        const input = inputIndex(inputs, fields, 'number')
        const column = recent.place(Op.Point, input, filter, [Number.NaN, Number.NaN, Number.NaN])
        return { kind: 'speed', slot, column, input: inputIndex(readInputs, fields, 'number') }
      }
      default:
        throw new TypeError(`${aggregate} needs a window`)
    }
  })

  const rowsPart =
    windowed.length === 0
      ? null
      : { layout: new RowLayout({ ...rows, windows, halfLivesMs: [], state }), reads: rowReads }
  const recentPart =
    newest.length === 0
      ? null
      : { layout: new RowLayout({ ...recent, windows: [], halfLivesMs, state }), reads: recentReads }
  const distincts = buildDistincts(features.filter(isDistinct), planWindows, inputs, filterOf, readInputs, (windows) =>
    distinctList(state, windows, distinctBound),
  )
  return {
    kind,
    inputs,
    filters,
    rows: rowsPart,
    recent: recentPart,
    distincts,
  }
}

function buildDistincts(
  features: readonly PlacedFeature[],
  planWindows: readonly SlidingWindow[],
  inputs: FieldInput[],
  filterOf: (feature: PlacedFeature) => number,
  readInputs: FieldInput[],
  listOf: (windows: readonly SlidingWindow[]) => DistinctList,
): readonly DistinctPart[] {
  const groups = Map.groupBy(features, (f) => `${filterOf(f)}/${f.spec.fields[0]}`)
  return [...groups.values()].map((group): DistinctPart => {
    const windows = windowsOf(group, planWindows)
    const field = group[0]!.spec.fields[0]!
    const reads = group.map(
      (feature): DistinctRead => ({
        kind: feature.spec.aggregate === 'seen' ? 'seen' : 'distinct',
        slot: feature.slot,
        window: windows.findIndex((w) => w.sizeMs === feature.windowMs),
        input: feature.spec.aggregate === 'seen' ? inputIndex(readInputs, [field], 'hash') : -1,
      }),
    )
    return {
      input: inputIndex(inputs, [field], 'hash'),
      filter: filterOf(group[0]!),
      list: listOf(windows),
      reads,
      counts: reads.some((read) => read.kind === 'distinct'),
    }
  })
}

function isDistinct(feature: PlacedFeature): boolean {
  return feature.spec.aggregate === 'distinct' || feature.spec.aggregate === 'seen'
}

function windowsOf(
  features: readonly PlacedFeature[],
  planWindows: readonly SlidingWindow[],
): readonly SlidingWindow[] {
  return planWindows.filter((window) => features.some((feature) => feature.windowMs === window.sizeMs))
}

/** The index of the first of these fields, which stand next to one another. */
function inputIndex(inputs: FieldInput[], fields: readonly string[], as: FieldInput['as']): number {
  const at = inputs.findIndex((_, i) =>
    fields.every((field, j) => inputs[i + j]?.field === field && inputs[i + j]?.as === as),
  )
  if (at >= 0) return at
  inputs.push(...fields.map((field) => ({ field, as })))
  return inputs.length - fields.length
}

function indexOf(filters: EventFilter[], filter: EventFilter | null): number {
  if (filter === null) return -1
  const at = filters.findIndex((known) =>
    known.kind === 'field'
      ? filter.kind === 'field' && known.field === filter.field
      : filter.kind === 'function' && known.accepts === filter.accepts,
  )
  return at >= 0 ? at : filters.push(filter) - 1
}
