import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createInferStep } from '../../processors/infer-step.ts'
import {
  type Answer,
  INFERRED,
  type Inferred,
  MODEL_RECORD,
  type ModelRecord,
  type Question,
} from '../../processors/inference.ts'
import { type Emit, type Entry, FEEDBACK, type Step } from '../../processors/step.ts'
import { fraud } from '../../scenarios/fraud/fraud.ts'

const width = fraud.featureSet.names.length
const options = { features: fraud.featureSet, mainKind: 'payment', scoreStage: 'score' }

const record: fc.Arbitrary<Entry> = fc
  .record({
    name: fc.constantFrom('a', 'b'),
    version: fc.integer({ min: 1, max: 5 }).map(String),
    action: fc.constantFrom('serve', 'serve', 'serve', 'withdraw'),
    eventTime: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ name, version, action, eventTime }) => {
    const body: ModelRecord = {
      name,
      version,
      sha256: version.padStart(64, '0'),
      action: action as ModelRecord['action'],
      eventTime,
      manifest: '{}',
    }
    return {
      kind: MODEL_RECORD,
      key: '',
      eventTimeMs: eventTime,
      watermarkMs: -1,
      channel: FEEDBACK,
      body,
      features: null,
    }
  })
const payment: fc.Arbitrary<Entry> = fc
  .record({ at: fc.integer({ min: 0, max: 60 }), amount: fc.integer({ min: 1, max: 9 }) })
  .map(({ at, amount }) => ({
    kind: 'payment',
    key: `p${at}-${amount}`,
    eventTimeMs: at,
    watermarkMs: at,
    channel: 1,
    body: { amount, eventTime: at },
    features: new Float64Array(width).fill(Number.NaN),
  }))
const entries = fc.array(fc.oneof({ weight: 4, arbitrary: payment }, record), { minLength: 1, maxLength: 40 })
const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 10 })

/** Models whose probability tells who was asked about what. */
function answer({ scoring, rows }: Question): Answer {
  const last = new Map(scoring.map((one) => [one.name, one]))
  const models = [...last.values()].map(({ name, version }) => ({
    name,
    version,
    probabilities: rows.map((row) => (row[fraud.featureSet.names.indexOf('amount')]! * 10 + Number(version)) / 1_000),
  }))
  return { models, degraded: false }
}

function emitInto(out: string[]): Emit {
  const refuse = (): never => {
    throw new Error('not by the inference stage')
  }
  return {
    watermarkMs: 0,
    to(stage, kind, key, eventTimeMs, body) {
      const said = kind === INFERRED ? (body as Inferred).models : []
      out.push(`${stage} ${kind} ${key} @${eventTimeMs} ${JSON.stringify(said)}`)
    },
    feedback: refuse,
    broadcast: refuse,
    output: refuse,
    timer: refuse,
    forget: refuse,
    late: refuse,
    duplicate: refuse,
  }
}

/** Folds in batches of these sizes, over and over. */
function fold(
  step: Step<object>,
  all: readonly Entry[],
  sizes: readonly number[],
  mode: 'asks' | 'recovers',
): string[] {
  const out: string[] = []
  const emit = emitInto(out)
  for (let from = 0, i = 0; from < all.length; i++) {
    const batch = all.slice(from, from + sizes[i % sizes.length]!)
    from += batch.length
    if (mode === 'asks') step.inquiry!.take(step.inquiry!.questions(batch).map(answer))
    for (const entry of batch) step.fold(entry, undefined, emit)
  }
  return out
}

/** Entry by entry, as one would do it by hand. */
function naive(all: readonly Entry[]): string[] {
  const out: string[] = []
  let waiting: ModelRecord[] = []
  const scoring = new Map<string, ModelRecord>()
  for (const { kind, key, eventTimeMs, body } of all) {
    if (kind === MODEL_RECORD) {
      const given = body as ModelRecord
      if (given.action === 'withdraw') {
        waiting = waiting.filter(({ name }) => name !== given.name)
        scoring.delete(given.name)
      } else waiting.push(given)
      continue
    }
    for (const due of waiting.filter(({ eventTime }) => eventTime <= eventTimeMs)) {
      scoring.delete(due.name)
      scoring.set(due.name, due)
    }
    waiting = waiting.filter(({ eventTime }) => eventTime > eventTimeMs)
    const said = [...scoring.values()].map(({ name, version }) => {
      return { name, version, probability: ((body as { amount: number }).amount * 10 + Number(version)) / 1_000 }
    })
    out.push(`score ${said.length > 0 ? INFERRED : kind} ${key} @${eventTimeMs} ${JSON.stringify(said)}`)
  }
  return out
}

const sorted = (lines: readonly string[]): string[] =>
  lines.map((line) => {
    const at = line.indexOf('[')
    const said = JSON.parse(line.slice(at)) as { name: string }[]
    return line.slice(0, at) + JSON.stringify(said.sort((a, b) => (a.name < b.name ? -1 : 1)))
  })

describe('the inference step', () => {
  it('says for every event what the versions in force at its place say, however the batches are cut', () => {
    fc.assert(
      fc.property(entries, cuts, (all, sizes) => {
        expect(sorted(fold(createInferStep(options), all, sizes, 'asks'))).toEqual(sorted(naive(all)))
      }),
    )
  })

  it('knows after recovery, which asks nobody, and after a restore which versions are in force', () => {
    fc.assert(
      fc.property(entries, cuts, fc.nat(40), (all, sizes, at) => {
        const [head, tail] = [all.slice(0, at), all.slice(at)]
        const first = createInferStep(options)
        fold(first, head, sizes, 'recovers')
        const restored = createInferStep(options)
        restored.resident!.restore(first.resident!.changedPages())
        const expected = sorted(naive(all).slice(naive(head).length))
        expect(sorted(fold(first, tail, sizes, 'asks'))).toEqual(expected)
        expect(sorted(fold(restored, tail, sizes, 'asks'))).toEqual(expected)
      }),
    )
  })
})
