import { ByteReader, ByteWriter } from './byte-buffer.ts'
import type { FeatureSet } from './features/compile.ts'
import { INFERRED, type Inferred } from './inference.ts'
import { type CalibrationSettings, calibratedLogit, UNCALIBRATED } from './learners/calibration.ts'
import type { ModelScorer, OnlineModelSpec } from './learners/online-model.ts'
import { sigmoid } from './learners/sigmoid.ts'
import {
  type ArmScore,
  EXAMPLE,
  type Example,
  MODEL,
  type ModelScore,
  type ModelUpdate,
  NO_MODELS,
  SERVED,
  type ServedScore,
} from './model-update.ts'
import type { Policy, PolicySettings, Verdict } from './policies/policy.ts'
import { namesOf, type Rule, type RuleSet, raisedBy } from './rules.ts'
import { ServedModels } from './served-models.ts'
import { type BodyCodec, type Emit, type Entry, type Resident, type Step, TIMER } from './step.ts'
import { VectorPool } from './vector-pool.ts'
import { decodeWaiting, encodeWaiting, unlabelled, type Waiting, waitingBytes } from './waiting-score.ts'

type Fields = Readonly<Record<string, unknown>>

/** What became of one scored event: handed to the scenario, which writes its own score event from it. */
export interface Scored {
  readonly id: string
  readonly event: Fields
  readonly eventTimeMs: number
  readonly features: Float64Array
  /** The features that moved the first arm's log-odds most, the strongest first. */
  readonly reasons: readonly { readonly feature: number; readonly contribution: number }[]
  readonly arms: readonly ArmScore[]
  /** The policy's, raised by the rules that applied. */
  readonly decision: Verdict
  readonly ruleHits: readonly Rule[]
  readonly modelVersion: number
  /** Where models were in force: the online model alone, then each of them. */
  readonly models: readonly ModelScore[]
  /** True when a model that should have scored did not, or another version answered for it. */
  readonly degraded: boolean
}

/** A stored score paired with its label. */
export interface Labelled {
  readonly id: string
  readonly eventTimeMs: number
  readonly labelTimeMs: number
  readonly truth: boolean
  readonly source: string
  readonly corrected: boolean
  readonly decision: Verdict
  /** Names of the rules that applied. */
  readonly ruleHits: readonly string[]
  readonly modelVersion: number
  readonly arms: readonly ArmScore[]
  readonly models: readonly ModelScore[]
}

export interface ScoreStepOptions {
  readonly features: FeatureSet
  readonly mainKind: string
  readonly labelKind: string
  readonly idField: string
  readonly amountField: string
  readonly truthField: string
  /** Entity stages that labels go back to. */
  readonly entityKeys: readonly string[]
  /** The champion first. */
  readonly arms: readonly string[]
  readonly model: OnlineModelSpec
  readonly policy: Policy
  readonly rules: RuleSet
  readonly learnStage: string
  /** No label this long after the event: it counts as negative. */
  readonly horizonMs: number
  /** A positive that comes up to this long after the horizon corrects it. */
  readonly correctionMs: number
  readonly eventCodec: BodyCodec
  /** Turns a score, an outcome into the scenario's output events. */
  emitScore(scored: Scored, emit: Emit): void
  emitOutcome(labelled: Labelled, emit: Emit): void
}

interface Arm {
  readonly name: string
  readonly scorer: ModelScorer
  calibration: CalibrationSettings
  policy: PolicySettings
  changed: boolean
}

/** The source of labels that nobody gave: the horizon passed, so it counts as negative. */
const CONCLUDED = 'horizon'
const REASONS = 4

/**
 * Scores an event with every arm, keeps the score with its features until the label comes, and pairs the two:
 * the learner gets the example as it was served, the entities get the label, and the outcome goes out. Without a label
 * until the horizon it counts as negative, which a positive that comes later corrects. The first label that somebody
 * gives is final, and everything about the score is forgotten with it: a further one waits for a payment, in vain.
 */
export function createScoreStep(options: ScoreStepOptions): Step<Waiting> {
  const { features, policy, idField, amountField, truthField } = options
  const arms: Arm[] = options.arms.map((name) => ({
    name,
    scorer: options.model.createScorer(features.names),
    calibration: UNCALIBRATED,
    policy: policy.initialSettings,
    changed: false,
  }))
  const contributions = new Float64Array(features.names.length)
  const vectors = new VectorPool()
  const served = new ServedModels(policy)

  function complete(event: Fields, known: Float64Array): Float64Array {
    const vector = vectors.copyOf(known)
    features.computeEvent(event, vector)
    features.computeDerived(vector)
    return vector
  }

  /** @param inferred what models said; the entry's features are complete then */
  function score(entry: Entry, event: Fields, inferred: Inferred | null, state: Waiting, emit: Emit): void {
    if (state.event !== null) {
      emit.duplicate({ ...entry, kind: options.mainKind, body: event })
      return
    }
    const vector = inferred === null ? complete(event, entry.features!) : entry.features!
    const amount = Number(event[amountField])
    let models = NO_MODELS
    let decision: Verdict = 'allow'
    const scores = arms.map((arm, i): ArmScore => {
      let rawLogit = arm.scorer.logit(vector)
      if (i === 0 && inferred !== null) {
        const base = { name: options.model.name, version: String(arm.scorer.version), rawLogit }
        models = served.scores(base, inferred.models, amount, arm)
        rawLogit = served.blend(models)
      }
      const logit = calibratedLogit(rawLogit, arm.calibration)
      const probability = sigmoid(logit)
      const decided = policy.decide(probability, logit, amount, arm.policy)
      if (i === 0) decision = decided.decision
      return { rawLogit, logit, probability, threshold: decided.threshold }
    })
    const ruleHits = options.rules.check(event, vector)
    decision = raisedBy(ruleHits, decision)
    const modelVersion = arms[0]!.scorer.version
    arms[0]!.scorer.contributions(vector, contributions)
    const reasons = strongest(contributions, REASONS)
    const id = String(event[idField])
    const { eventTimeMs } = entry
    options.emitScore(
      {
        id,
        event,
        eventTimeMs,
        features: vector,
        reasons,
        arms: scores,
        decision,
        ruleHits,
        modelVersion,
        models,
        degraded: inferred?.degraded ?? false,
      },
      emit,
    )
    state.event = event
    state.eventTimeMs = eventTimeMs
    state.features = vector
    state.arms = scores
    state.decision = decision
    state.ruleHits = namesOf(ruleHits)
    state.modelVersion = modelVersion
    state.models = models
    const servedScore: ServedScore = { amount, arms: scores, models }
    emit.to(options.learnStage, SERVED, 'model', eventTimeMs, servedScore, null)
    emit.timer(id, eventTimeMs + options.horizonMs)
    if (state.truth !== null) pair(id, state, false, emit)
  }

  function pair(id: string, state: Waiting, corrected: boolean, emit: Emit): void {
    const { event, eventTimeMs, labelTimeMs, arms: scores, source, decision, ruleHits, modelVersion, models } = state
    const truth = state.truth!
    const amount = Number(event![amountField])
    const example: Example = {
      label: truth ? 1 : 0,
      corrected,
      scoredMs: eventTimeMs,
      amount,
      arms: scores,
      features: state.features!,
      models,
    }
    emit.to(options.learnStage, EXAMPLE, 'model', labelTimeMs, example, null)
    const label = { ...event, [truthField]: truth }
    for (const field of options.entityKeys) {
      const key = event![field]
      if (key != null) emit.feedback(field, options.labelKind, String(key), labelTimeMs, label)
    }
    options.emitOutcome(
      {
        id,
        eventTimeMs,
        labelTimeMs,
        truth,
        source,
        corrected,
        decision,
        ruleHits,
        modelVersion,
        arms: scores,
        models,
      },
      emit,
    )
    if (source !== CONCLUDED) emit.forget()
  }

  function label(entry: Entry, state: Waiting, emit: Emit): void {
    const body = entry.body as Fields
    const truth = body[truthField] === true
    if (state.truth !== null) {
      const correction = state.source === CONCLUDED && truth && !state.truth
      if (!correction) {
        emit.duplicate(entry)
        return
      }
    }
    const corrected = state.truth !== null
    Object.assign(state, { truth, labelTimeMs: entry.eventTimeMs, source: String(body['source']) })
    if (state.event !== null) pair(entry.key, state, corrected, emit)
    else emit.timer(entry.key, entry.eventTimeMs + options.horizonMs)
  }

  function timer(entry: Entry, state: Waiting, emit: Emit): void {
    if (state.event === null || state.truth !== null) {
      emit.forget()
      return
    }
    Object.assign(state, { truth: false, labelTimeMs: entry.eventTimeMs, source: CONCLUDED })
    pair(entry.key, state, false, emit)
    emit.timer(entry.key, entry.eventTimeMs + options.correctionMs)
  }

  function update(modelUpdate: ModelUpdate): void {
    const { bytes, arms: updates } = modelUpdate
    served.update(modelUpdate, (name) => options.arms.includes(name))
    for (const { name, learns, calibration, policy: settings } of updates) {
      const arm = arms.find((candidate) => candidate.name === name)
      if (arm === undefined) continue
      if (learns && bytes.length > 0) arm.scorer.apply(bytes)
      arm.calibration = calibration
      arm.policy = settings
      arm.changed = true
    }
  }

  return {
    table: {
      create: unlabelled,
      encode: (state) => encodeWaiting(state, options.eventCodec),
      decode: (bytes) => decodeWaiting(bytes, options.eventCodec),
      bytes: waitingBytes,
      expiresAtMs: () => null,
      isSeldomSoonAgain: true,
    },
    resident: withModels(armsResident(arms), served),
    fold(entry, state, emit) {
      if (entry.kind === options.mainKind) score(entry, entry.body as Fields, null, state!, emit)
      else if (entry.kind === INFERRED) {
        const inferred = entry.body as Inferred
        score(entry, inferred.event as Fields, inferred, state!, emit)
      } else if (entry.kind === options.labelKind) label(entry, state!, emit)
      else if (entry.kind === TIMER) timer(entry, state!, emit)
      else if (entry.kind === MODEL) update(entry.body as ModelUpdate)
      else throw new Error(`the scoring stage knows no entries of kind "${entry.kind}"`)
    },
  }
}

function strongest(contributions: Float64Array, count: number): { feature: number; contribution: number }[] {
  const features = new Array<number>(count).fill(-1)
  let found = 0
  let least = 0
  for (let feature = 0; feature < contributions.length; feature++) {
    const weight = Math.abs(contributions[feature]!)
    if (!(weight > least)) continue
    let place = found < count ? found++ : count - 1
    for (; place > 0 && weight > Math.abs(contributions[features[place - 1]!]!); place--)
      features[place] = features[place - 1]!
    features[place] = feature
    if (found === count) least = Math.abs(contributions[features[count - 1]!]!)
  }
  return features.slice(0, found).map((feature) => ({ feature, contribution: contributions[feature]! }))
}

function withModels(arms: Resident, served: ServedModels): Resident {
  return {
    restore(pages) {
      arms.restore(pages)
      served.restore(pages)
    },
    changedPages: () => [...arms.changedPages(), ...served.changedPages()],
  }
}

/** Every arm's weights, and one page of calibration and threshold each. */
function armsResident(arms: readonly Arm[]): Resident {
  return {
    restore(pages) {
      for (const arm of arms) {
        const prefix = `${arm.name}/`
        const own = pages
          .filter(([page]) => page.startsWith(prefix))
          .map(([page, value]) => [page.slice(prefix.length), value] as const)
        arm.scorer.restore(own.filter(([page]) => page !== 'serving'))
        const serving = own.find(([page]) => page === 'serving')
        if (serving === undefined) continue
        const reader = new ByteReader(serving[1])
        arm.calibration = { slope: reader.float64(), intercept: reader.float64() }
        arm.policy = [...reader.float64s()]
      }
    },
    changedPages() {
      const pages: [string, Uint8Array][] = []
      for (const arm of arms) {
        if (!arm.changed) continue
        arm.changed = false
        for (const [page, value] of arm.scorer.changedPages()) pages.push([`${arm.name}/${page}`, value])
        const writer = new ByteWriter()
        writer.float64(arm.calibration.slope)
        writer.float64(arm.calibration.intercept)
        writer.float64s(Float64Array.from(arm.policy))
        pages.push([`${arm.name}/serving`, writer.take()])
      }
      return pages
    },
  }
}
