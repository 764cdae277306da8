import type { FeatureSet } from './features/compile.ts'
import {
  type Answer,
  INFERRED,
  type Inference,
  type Inferred,
  MODEL_RECORD,
  type ModelRecord,
  type Question,
} from './inference.ts'
import type { Emit, Entry, Step } from './step.ts'
import { VectorPool } from './vector-pool.ts'

export interface InferStepOptions {
  readonly features: FeatureSet
  readonly mainKind: string
  readonly scoreStage: string
}

/** Versions kept per model: the one that scores, and those to fall back on. */
const KEPT_VERSIONS = 3
/** Rows of one run at most: enough to fill any device, and a bounded stop of the loop on the CPU. */
const RUN_ROWS = 4_096
const NOTHING: ModelsInForce = { scoring: [], announced: [] }
const PAGE = 'models'

/** Which versions score, and which will from their event time on. */
interface ModelsInForce {
  readonly scoring: readonly ModelRecord[]
  readonly announced: readonly ModelRecord[]
}

interface Said {
  readonly vector: Float64Array
  readonly models: readonly Inference[]
  readonly degraded: boolean
}

/**
 * Asks the models about every event, the whole batch in one run each, and passes the answers on with the event, as an entry
 * of the scoring stage's topic. From there on they are part of the log: nothing that is kept depends on how a runtime rounds
 * in batches of another size, on another device, or on which version had to stand in for a broken one.
 *
 * Its own state is which versions are in force, from the model records among its entries. A record takes effect at the
 * first event behind it that is not older than the record's event time.
 */
export function createInferStep(options: InferStepOptions): Step<object> {
  const { features, mainKind, scoreStage } = options
  const vectors = new VectorPool()
  let inForce = NOTHING
  let changed = false
  /** The events that were asked about, question by question. */
  let asked: { readonly entries: Entry[]; readonly rows: Float64Array[] }[] = []
  /** What came back, for the fold that follows. */
  let said = new Map<Entry, Said>()

  const after = (models: ModelsInForce, entry: Entry): ModelsInForce =>
    entry.kind === MODEL_RECORD ? withRecord(models, entry.body as ModelRecord) : activated(models, entry.eventTimeMs)

  function complete(entry: Entry): Float64Array {
    const vector = vectors.copyOf(entry.features!)
    features.computeEvent(entry.body as object, vector)
    features.computeDerived(vector)
    return vector
  }

  function questions(entries: readonly Entry[]): readonly Question[] {
    const found: Question[] = []
    asked = []
    said = new Map()
    if (inForce === NOTHING && !entries.some(({ kind }) => kind === MODEL_RECORD)) return found
    let models = inForce
    let scoring: readonly ModelRecord[] = []
    for (const entry of entries) {
      if (entry.kind !== mainKind && entry.kind !== MODEL_RECORD) continue
      models = after(models, entry)
      if (entry.kind !== mainKind || models.scoring.length === 0) continue
      let run = asked.at(-1)
      if (run === undefined || scoring !== models.scoring || run.entries.length === RUN_ROWS) {
        run = { entries: [], rows: [] }
        asked.push(run)
        scoring = models.scoring
        found.push({ scoring, rows: run.rows })
      }
      run.entries.push(entry)
      run.rows.push(complete(entry))
    }
    return found
  }

  function take(answers: readonly Answer[]): void {
    asked.forEach(({ entries, rows }, question) => {
      const { models, degraded } = answers[question]!
      entries.forEach((entry, row) => {
        const inferences = models.map(({ name, version, probabilities }) => {
          return { name, version, probability: probabilities[row]! }
        })
        said.set(entry, { vector: rows[row]!, models: inferences, degraded })
      })
    })
    asked = []
  }

  function pass(entry: Entry, emit: Emit): void {
    const { kind, key, eventTimeMs, body } = entry
    const answer = said.get(entry)
    if (answer === undefined) {
      emit.to(scoreStage, kind, key, eventTimeMs, body, entry.features)
      return
    }
    const inferred: Inferred = { event: body as object, models: answer.models, degraded: answer.degraded }
    emit.to(scoreStage, INFERRED, key, eventTimeMs, inferred, answer.vector)
  }

  return {
    table: null,
    resident: {
      restore(pages) {
        const page = pages.find(([name]) => name === PAGE)
        if (page !== undefined) inForce = JSON.parse(Buffer.from(page[1]).toString()) as ModelsInForce
      },
      changedPages() {
        if (!changed) return []
        changed = false
        return [[PAGE, Buffer.from(JSON.stringify(inForce))]]
      },
    },
    inquiry: { questions, take },
    fold(entry, _state, emit) {
      if (entry.kind !== mainKind && entry.kind !== MODEL_RECORD)
        throw new Error(`the inference stage knows no entries of kind "${entry.kind}"`)
      const next = after(inForce, entry)
      if (next !== inForce) changed = true
      inForce = next
      if (entry.kind === mainKind) pass(entry, emit)
    },
  }
}

function withRecord({ scoring, announced }: ModelsInForce, record: ModelRecord): ModelsInForce {
  const others = ({ name }: ModelRecord): boolean => name !== record.name
  if (record.action === 'withdraw') return { scoring: scoring.filter(others), announced: announced.filter(others) }
  return { scoring, announced: [...announced, record] }
}

function activated(models: ModelsInForce, eventTimeMs: number): ModelsInForce {
  if (models.announced.length === 0) return models
  const due = models.announced.filter(({ eventTime }) => eventTimeMs >= eventTime)
  if (due.length === 0) return models
  let scoring = models.scoring
  for (const record of due) {
    const same = scoring.filter(({ name }) => name === record.name)
    const kept = same.slice(Math.max(0, same.length - (KEPT_VERSIONS - 1)))
    scoring = [...scoring.filter((other) => other.name !== record.name || kept.includes(other)), record]
  }
  return { scoring, announced: models.announced.filter((record) => !due.includes(record)) }
}
