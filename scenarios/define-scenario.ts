import { parseDurationMs } from '../processors/duration.ts'
import { compileFeatures, type FeatureSet } from '../processors/features/compile.ts'
import type { FeatureDeclaration } from '../processors/features/declare.ts'
import type { OnlineModelSpec } from '../processors/learners/online-model.ts'
import type { Policy } from '../processors/policies/policy.ts'
import { compileRules, type Rule, type RuleSet } from '../processors/rules.ts'
import type { Labelled, Scored } from '../processors/score-step.ts'
import { registeredSchemas } from '../schemas/generated/registered.ts'
import type { RegisteredSchema } from '../schemas/registered-schema.ts'
import type { CatalogueTopic } from '../schemas/topics.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { ModelHost } from '../streams/model-host.ts'
import type { Topology } from '../streams/topology.ts'
import type { BuiltInStream } from './built-in-stream.ts'
import { checkDeclaration, requiredNumbers } from './check-declaration.ts'
import { compileTopology } from './compile-topology.ts'
import type { Words } from './report/report-data.ts'
import {
  outcomeEvent,
  scoreEvent,
  standardLabelTopic,
  standardOutcomeTopic,
  standardScoreTopic,
} from './standard-events.ts'

/** What a user declares. Stages follow from the keys of the features. */
export interface ScenarioDeclaration {
  readonly name: string
  /** The event that is scored. */
  readonly event: {
    readonly kind: string
    readonly topic: CatalogueTopic
    /** The field that names it. */
    readonly id: string
    /** The field with its event time. Default `eventTime`. */
    readonly time?: string
    /** The number that is at stake, such as an amount of money. */
    readonly amount: string
    /** Numbers and booleans that every event has. Default: all that the schema requires. */
    readonly numbers?: readonly string[]
  }
  /** The event that tells the truth about it later; its key is the scored event's id. */
  readonly label: {
    /** Default `label`. */
    readonly kind?: string
    /** Default: a topic `labels` of id, eventTime, truth and source. */
    readonly topic?: CatalogueTopic
    /** Its boolean field that tells. */
    readonly truth: string
    readonly horizon: string
    readonly correction: string
  }
  readonly features: readonly FeatureDeclaration[]
  readonly model: OnlineModelSpec
  /** The champion first; `learnsFor` freezes an arm's weights after that much event time. */
  readonly arms: readonly { readonly name: string; readonly learnsFor?: string }[]
  readonly decide: Policy
  /** Raise decisions beside the model (`processors/rules.ts`). Default none. */
  readonly rules?: readonly Rule[]
  readonly grace: string
  /**
   * Live, event time goes on with the clock once no scored event has come for `after`, and stays `allowance` behind it:
   * only what comes later than that and `grace` together is late. Default: after a minute, a day behind, so that label
   * horizons conclude and an outage of a day makes nothing late.
   */
  readonly idle?: { readonly after: string; readonly allowance: string }
  readonly duplicatesWithin: string
  /** Where scores and outcomes go, and how they are written. Default: topics `scores` and `outcomes` (`standard-events.ts`). */
  readonly scores?: {
    readonly topic?: CatalogueTopic
    readonly event?: (scored: Scored, scenario: Scenario) => object
  }
  readonly outcomes?: {
    readonly topic?: CatalogueTopic
    readonly event?: (labelled: Labelled, scenario: Scenario) => object
  }
  /** How a replay judges the scores; absent: it does not. */
  readonly evaluation?: EvaluationDeclaration
  /** What reports call the scored events, and those of them whose label is true. Default `events` and `positives`. */
  readonly words?: Words
  readonly stream?: BuiltInStream
  /** Registered versions of the scenario's own schemas, so that logs written with older ones stay readable. */
  readonly schemas?: readonly RegisteredSchema[]
}

export interface EvaluationDeclaration {
  /** The rate of false positives that decisions aim at. */
  readonly targetFpr: number
  /** Rates at which recall is reported. Default: a twelfth of the target, the target, one and a half times the target. */
  readonly fprs?: readonly number[]
  /** What the realised rate should keep each week. Default: a sixth to both sides of the target. */
  readonly band?: { readonly low: number; readonly high: number }
}

/** Who runs the models of a scenario, one host per task. */
export interface ModelHosts {
  hostOf(task: number): ModelHost
}

/** A scenario, checked and compiled, with every default filled in. */
export interface Scenario extends ScenarioDeclaration {
  readonly event: Required<ScenarioDeclaration['event']>
  readonly label: Required<ScenarioDeclaration['label']>
  readonly scores: Required<NonNullable<ScenarioDeclaration['scores']>>
  readonly outcomes: Required<NonNullable<ScenarioDeclaration['outcomes']>>
  readonly words: Words
  readonly featureSet: FeatureSet
  readonly ruleSet: RuleSet
  readonly armNames: readonly string[]
  /** Event times further ahead of the clock than this are refused. */
  readonly maxFutureMs: number
  /**
   * With `models` the topology has a stage for them before scoring, and reads the scenario's model records.
   *
   * @param reactionMs event time between two model updates at most; a replay gives its slice. Default 1 s. */
  topology(partitions: number, reactionMs?: number, registry?: SchemaRegistry, models?: ModelHosts): Topology
}

const REACTION_MS = 1_000
const MAX_FUTURE_MS = 3_600_000

/** Checks and compiles a declaration. Throws CONFIG_INVALID with the name of what does not fit. */
export function defineScenario(declaration: ScenarioDeclaration): Scenario {
  const { event, label, scores, outcomes } = withDefaults(declaration)
  const featureSet = compileFeatures(declaration.features, {
    mainKind: event.kind,
    graceMs: parseDurationMs(declaration.grace),
    requiredFields: { [event.kind]: event.numbers, [label.kind]: [label.truth] },
  })
  const scenario: Scenario = {
    ...declaration,
    event,
    label,
    scores,
    outcomes,
    words: declaration.words ?? { events: 'events', positives: 'positives' },
    featureSet,
    ruleSet: compileRules(declaration.rules ?? [], featureSet.names),
    armNames: declaration.arms.map(({ name }) => name),
    maxFutureMs: MAX_FUTURE_MS,
    topology: (partitions, reactionMs = REACTION_MS, registry = ownRegistry(scenario), models) =>
      compileTopology(scenario, partitions, reactionMs, registry, models ?? null),
  }
  checkDeclaration(scenario)
  return scenario
}

/** Topics, kinds and events that the declaration leaves open. */
function withDefaults({ name, event, label, scores, outcomes }: ScenarioDeclaration) {
  const names = { scenario: name, id: event.id, truth: label.truth }
  return {
    event: { time: 'eventTime', numbers: requiredNumbers(event.topic.schema), ...event },
    label: { kind: 'label', topic: standardLabelTopic(names), ...label },
    scores: { topic: standardScoreTopic(names), event: scoreEvent, ...scores },
    outcomes: { topic: standardOutcomeTopic(names), event: outcomeEvent, ...outcomes },
  }
}

/** The embedded registry, and beside it the schemas that are the scenario's own. */
function ownRegistry({ event, label, scores, outcomes, schemas }: Scenario): SchemaRegistry {
  const own = [event, label, scores, outcomes].map(({ topic }) => topic.schema)
  return createLocalRegistry([...registeredSchemas, ...(schemas ?? [])], own)
}
