import type { Answer, ModelRecord } from '../../processors/inference.ts'
import { type BodyCodec, type Emit, type Entry, type Step, TIMER } from '../../processors/step.ts'
import { isRejection, reject } from '../../schemas/rejection.ts'
import type { ValueCodec } from '../../streams/codec/event-codec.ts'
import type { InputCodec } from '../../streams/codec/input-codec.ts'
import type { TopicSpec } from '../../streams/event-log/event-log.ts'
import type { ModelHost } from '../../streams/model-host.ts'
import type { Source, Stage, Topology } from '../../streams/topology.ts'

/** What producers append. */
export interface Order {
  readonly id: string
  readonly a: string
  readonly b: string
  readonly timeMs: number
}

/** A score of the tiny topology: everything that could betray a lost, doubled or torn update. */
export interface TinyScore extends Order {
  /** Orders of this `a` so far, this one included. */
  readonly countA: number
  readonly back: number
  /** Orders of this `b` since its state was forgotten or expired. */
  readonly countB: number
  readonly noted: number
  /** The model version that was known, and the stage's watermark. */
  readonly version: number
  readonly watermarkMs: number
  /** What a model said about it, given the version that is known once everything before it is folded. */
  readonly said: number
}

export const GRACE_MS = 400
export const TIMER_MS = 250
const EXPIRES_MS = 3_000
const PUBLISH_EVERY = 4
const NAME = 'tiny'

export const tinyTopics = {
  orders: 'tiny.orders',
  notes: 'tiny.notes',
  scores: 'tiny.scores',
  outcomes: 'tiny.outcomes',
}

interface StateA {
  readonly seen: Set<string>
  count: number
  back: number
}

interface StateB {
  count: number
  noted: number
  lastMs: number
}

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const parsed = (bytes: Uint8Array): unknown =>
  JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
const json: BodyCodec = { encode: bytesOf, decode: parsed }

/** Counts the orders of an `a`, refuses late and doubled ones, and reports each order's end by a timer. */
function createStepA(): Step<StateA> {
  return {
    table: {
      create: () => ({ seen: new Set(), count: 0, back: 0 }),
      encode: ({ seen, count, back }) => bytesOf([[...seen], count, back]),
      decode(bytes) {
        const [seen, count, back] = parsed(bytes) as [string[], number, number]
        return { seen: new Set(seen), count, back }
      },
      bytes: () => 1_000,
      expiresAtMs: () => null,
    },
    resident: null,
    fold(entry: Entry, state: StateA | undefined, emit: Emit) {
      const { count, back, seen } = state!
      if (entry.kind === TIMER)
        return emit.output('outcomes', entry.key, entry.eventTimeMs, () => ({ a: entry.key, count, back }))
      if (entry.kind === 'back') {
        state!.back += (entry.body as { readonly countB: number }).countB
        return
      }
      const order = entry.body as Order
      if (entry.eventTimeMs < emit.watermarkMs - GRACE_MS) return emit.late(entry)
      if (seen.has(order.id)) return emit.duplicate(entry)
      seen.add(order.id)
      state!.count++
      emit.timer(entry.key, entry.eventTimeMs + TIMER_MS)
      emit.to('b', 'order', order.b, entry.eventTimeMs, { ...order, countA: count + 1, back }, null)
    },
  }
}

/** What the model says about an order. */
export function saidAbout(id: string, version: number): number {
  return Number.parseInt(id.replace(/\D+/g, ''), 10) * 1_000 + version
}

/** Answers at once. The row: a number of the order's id, and the version that is known. */
const tinyModels: ModelHost = {
  async answer(_scoring: readonly ModelRecord[], rows: readonly Float64Array[]): Promise<Answer> {
    const probabilities = rows.map(([number, version]) => number! + version!)
    return { models: [{ name: NAME, version: '1', probabilities }], degraded: false }
  },
}

/** Scores an order by everything that is known of its `b`, and by what a model says; holds the model's version whole. */
function createStepB(): Step<StateB> {
  let version = 0
  let isChanged = false
  let asked: Entry[] = []
  let said = new Map<Entry, number>()
  return {
    inquiry: {
      questions(entries) {
        let known = version
        asked = []
        const rows: Float64Array[] = []
        for (const entry of entries) {
          if (entry.kind === 'model') known = (entry.body as { readonly version: number }).version
          if (entry.kind !== 'order') continue
          asked.push(entry)
          rows.push(Float64Array.of(saidAbout((entry.body as Order).id, 0), known))
        }
        return rows.length === 0 ? [] : [{ scoring: [], rows }]
      },
      take([answer]) {
        said = new Map(asked.map((entry, row) => [entry, answer!.models[0]!.probabilities[row]!]))
      },
    },
    table: {
      create: () => ({ count: 0, noted: 0, lastMs: Number.NEGATIVE_INFINITY }),
      encode: ({ count, noted, lastMs }) =>
        bytesOf([count, noted, lastMs === Number.NEGATIVE_INFINITY ? null : lastMs]),
      decode(bytes) {
        const [count, noted, lastMs] = parsed(bytes) as [number, number, number | null]
        return { count, noted, lastMs: lastMs ?? Number.NEGATIVE_INFINITY }
      },
      bytes: () => 1_000,
      expiresAtMs: ({ lastMs }) => lastMs + EXPIRES_MS,
    },
    resident: {
      restore(pages) {
        for (const [, value] of pages) version = parsed(value) as number
      },
      changedPages() {
        if (!isChanged) return []
        isChanged = false
        return [['version', bytesOf(version)]]
      },
    },
    fold(entry: Entry, state: StateB | undefined, emit: Emit) {
      if (entry.kind === 'model') {
        version = (entry.body as { readonly version: number }).version
        isChanged = true
        return
      }
      const b = state!
      if (b.lastMs + EXPIRES_MS < emit.watermarkMs) Object.assign(b, { count: 0, noted: 0 })
      if (entry.kind === 'note') {
        const { forget } = entry.body as { readonly forget: boolean }
        if (forget) return emit.forget()
        b.noted++
        b.lastMs = Math.max(b.lastMs, entry.eventTimeMs)
        return
      }
      const order = entry.body as Order & { readonly countA: number; readonly back: number }
      b.count++
      b.lastMs = Math.max(b.lastMs, entry.eventTimeMs)
      const score: TinyScore = {
        ...order,
        countB: b.count,
        noted: b.noted,
        version,
        watermarkMs: emit.watermarkMs === Number.NEGATIVE_INFINITY ? -1 : emit.watermarkMs,
        said: said.get(entry) ?? Number.NaN,
      }
      emit.output('scores', order.b, entry.eventTimeMs, () => score)
      emit.feedback('a', 'back', order.a, entry.eventTimeMs, { countB: b.count })
      emit.to('learn', 'example', order.b, entry.eventTimeMs, { id: order.id }, null)
    },
  }
}

/** A single writer: counts examples, and tells all partitions every few. */
function createLearnStep(): Step {
  let examples = 0
  let isChanged = false
  return {
    table: null,
    resident: {
      restore(pages) {
        for (const [, value] of pages) examples = parsed(value) as number
      },
      changedPages() {
        if (!isChanged) return []
        isChanged = false
        return [['examples', bytesOf(examples)]]
      },
    },
    fold(entry: Entry, _state: unknown, emit: Emit) {
      examples++
      isChanged = true
      if (examples % PUBLISH_EVERY === 0)
        emit.broadcast('b', 'model', entry.eventTimeMs, { version: examples / PUBLISH_EVERY })
    },
  }
}

function inputCodec(): InputCodec<object> {
  const decode = (bytes: Uint8Array | null): object => {
    if (bytes === null) return { kind: 'deleted' }
    if (bytes[0] !== 0x7b) return reject('INVALID_JSON', 'no JSON object')
    return parsed(bytes) as object
  }
  return {
    schema: { name: 'tiny' } as unknown as InputCodec<object>['schema'],
    encode: bytesOf,
    decode: decode as InputCodec<object>['decode'],
    decodeChange(bytes) {
      const event = decode(bytes)
      if (isRejection(event)) return event
      return { kind: 'changed', event, before: null }
    },
    prepare: () => undefined,
  }
}

const outputCodec = {
  encode: bytesOf,
  decode: parsed,
  prepare: () => undefined,
} as ValueCodec<object>

/**
 * A topology with everything that a scenario's has, and nothing that costs time: two keyed stages, models, a single writer,
 * state that expires and is forgotten, timers, watermarks, feedback and broadcast. `notes`: whether a second source
 * drives event time, too.
 */
export function tinyTopology(partitions: number, notes: Source['watermark']): Topology {
  const stage = (name: string, more: Pick<Stage, 'tasks' | 'next' | 'create' | 'models'>): Stage => ({
    name,
    topic: `tiny.stage-${name}`,
    ...more,
  })
  const stages = [
    stage('a', { tasks: 'every', next: ['b'], create: createStepA as Stage['create'] }),
    stage('b', { tasks: 'every', next: ['learn'], create: createStepB as Stage['create'], models: () => tinyModels }),
    stage('learn', { tasks: 'first', next: [], create: createLearnStep }),
  ]
  const source = (kind: string, topic: string, more: Pick<Source, 'watermark' | 'route'>): Source => ({
    kind,
    short: kind,
    topic,
    dlqTopic: `${topic}.dlq`,
    lateTopic: `${topic}.late`,
    codec: inputCodec(),
    eventTimeMs: (event) => (event as { readonly timeMs: number }).timeMs,
    ...more,
  })
  const sources = [
    source('order', tinyTopics.orders, {
      watermark: 'advances',
      route: (event, timeMs, emit) => emit.to('a', 'order', (event as Order).a, timeMs, event, null),
    }),
    source('note', tinyTopics.notes, {
      watermark: notes,
      route: (event, timeMs, emit) => emit.feedback('b', 'note', (event as Order).b, timeMs, event),
    }),
  ]
  const output = (short: string, topic: string) => ({ short, topic, codec: outputCodec, type: `tiny.${short}` })
  const spec = (name: string, count = partitions): TopicSpec => ({
    name,
    partitions: count,
    cleanup: 'delete',
    retentionMs: null,
    maxRecordBytes: 1_000_000,
  })
  return {
    scenario: NAME,
    partitions,
    sources,
    intakeNext: ['a'],
    stages,
    outputs: [output('scores', tinyTopics.scores), output('outcomes', tinyTopics.outcomes)],
    bodies: new Map(['order', 'note', 'back', 'example', 'model'].map((kind) => [kind, json])),
    topics: [
      ...sources.flatMap(({ topic, dlqTopic, lateTopic }) => [spec(topic), spec(dlqTopic), spec(lateTopic)]),
      spec(tinyTopics.scores),
      spec(tinyTopics.outcomes),
      ...stages.map(({ topic, tasks }) => spec(topic, tasks === 'first' ? 1 : partitions)),
    ],
    maxFutureMs: 1e15,
    announceEveryMs: 100,
  }
}
