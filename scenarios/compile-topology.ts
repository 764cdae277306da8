import { parseDurationMs } from '../processors/duration.ts'
import { createFeatureStep } from '../processors/feature-step.ts'
import { createAdmission } from '../processors/features/admission.ts'
import { createInferStep } from '../processors/infer-step.ts'
import { INFERRED, inferredCodec, MODEL_RECORD } from '../processors/inference.ts'
import { createLearnStep } from '../processors/learn-step.ts'
import { EXAMPLE, exampleCodec, MODEL, modelUpdateCodec, SERVED, servedScoreCodec } from '../processors/model-update.ts'
import { createScoreStep } from '../processors/score-step.ts'
import type { BodyCodec } from '../processors/step.ts'
import type { EventSchema } from '../schemas/event-schema.ts'
import {
  type CatalogueTopic,
  dlqTopic,
  lateTopic,
  modelTopic,
  sideTopicRetentionMs,
  topicName,
} from '../schemas/topics.ts'
import { checkTopology } from '../streams/check-topology.ts'
import { createEventCodec } from '../streams/codec/event-codec.ts'
import { createInputCodec } from '../streams/codec/input-codec.ts'
import type { SchemaRegistry } from '../streams/codec/schema-registry.ts'
import type { TopicSpec } from '../streams/event-log/event-log.ts'
import type { Source, Stage, Topology } from '../streams/topology.ts'
import type { ModelHosts, Scenario } from './define-scenario.ts'
import { modelFilesTopic } from './model-files.ts'

type Fields = Readonly<Record<string, unknown>>

const INFER = 'infer'
const SCORE = 'score'
export const LEARN = 'learn'
const ANNOUNCE_EVERY_MS = 60_000
const IDLE = { after: '1 min', allowance: '24 h' } as const
/** A block with one large model update still fits. */
const MAX_BLOCK_BYTES = 64 * 1_048_576
/** Dead letters carry their original bytes and what was said about them. */
const DEAD_LETTER_ROOM_BYTES = 65_536

/** The flow that follows from a declaration: a stage for each key of its features, then models, scoring and learning. */
export function compileTopology(
  scenario: Scenario,
  partitions: number,
  reactionMs: number,
  registry: SchemaRegistry,
  models: ModelHosts | null,
): Topology {
  const { name, event, label, featureSet } = scenario
  const scoredBy = models === null ? SCORE : INFER
  const stageTopic = (stage: string): string => topicName(name, `stage-${stage}`)
  const keys = featureSet.entities.map(({ keyField }) => keyField)
  const eventCodec = bodyCodec(event.topic.schema, registry)
  const entityStages = featureSet.entities.map((plan, i): Stage => {
    const laterKeys = keys.slice(i + 1)
    return {
      name: plan.keyField,
      topic: stageTopic(plan.keyField),
      tasks: 'every',
      next: [...laterKeys, scoredBy],
      create: () => {
        const control = {
          idWindowMs: parseDurationMs(scenario.duplicatesWithin),
          graceMs: parseDurationMs(scenario.grace),
        }
        const admission = i === 0 ? createAdmission(control) : null
        return createFeatureStep({
          plan,
          features: featureSet,
          mainKind: event.kind,
          idField: event.id,
          admission,
          laterKeys,
          scoreStage: scoredBy,
        })
      },
    }
  })
  const scoring: Stage = {
    name: SCORE,
    topic: stageTopic(SCORE),
    tasks: 'every',
    next: [LEARN],
    create: () =>
      createScoreStep({
        features: featureSet,
        mainKind: event.kind,
        labelKind: label.kind,
        idField: event.id,
        amountField: event.amount,
        truthField: label.truth,
        entityKeys: keys,
        arms: scenario.armNames,
        model: scenario.model,
        policy: scenario.decide,
        rules: scenario.ruleSet,
        learnStage: LEARN,
        horizonMs: parseDurationMs(label.horizon),
        correctionMs: parseDurationMs(label.correction),
        eventCodec,
        emitScore: (scored, emit) =>
          emit.output(scenario.scores.topic.short, scored.id, scored.eventTimeMs, () =>
            scenario.scores.event(scored, scenario),
          ),
        emitOutcome: (labelled, emit) =>
          emit.output(scenario.outcomes.topic.short, labelled.id, labelled.labelTimeMs, () =>
            scenario.outcomes.event(labelled, scenario),
          ),
      }) as ReturnType<Stage['create']>,
  }
  const learning: Stage = {
    name: LEARN,
    topic: stageTopic(LEARN),
    tasks: 'first',
    next: [],
    create: () =>
      createLearnStep({
        featureNames: featureSet.names,
        model: scenario.model,
        policy: scenario.decide,
        scoreStage: SCORE,
        arms: scenario.arms.map((arm) => ({
          name: arm.name,
          learnsForMs: arm.learnsFor === undefined ? null : parseDurationMs(arm.learnsFor),
        })),
        publishEvery: { examples: 256, ms: reactionMs },
      }) as ReturnType<Stage['create']>,
  }
  const inference: Stage[] =
    models === null
      ? []
      : [
          {
            name: INFER,
            topic: stageTopic(INFER),
            tasks: 'every',
            next: [SCORE],
            create: () =>
              createInferStep({ features: featureSet, mainKind: event.kind, scoreStage: SCORE }) as ReturnType<
                Stage['create']
              >,
            models: (task) => models.hostOf(task),
          },
        ]
  const stages = [...entityStages, ...inference, scoring, learning] as Stage[]
  const firstKey = keys[0]!
  const sources: Source[] = [
    source(event.kind, event.topic, event.time, 'advances', registry, (body, tMs, emit) =>
      emit.to(firstKey, event.kind, String((body as Fields)[firstKey]), tMs, body, null),
    ),
    source(label.kind, label.topic, 'eventTime', 'ignored', registry, (body, tMs, emit) =>
      emit.feedback(SCORE, label.kind, String((body as Fields)[event.id]), tMs, body),
    ),
  ]
  const records = modelTopic(name)
  if (models !== null) {
    sources.push(
      source(MODEL_RECORD, records, 'eventTime', 'ignored', registry, (body, tMs, emit) =>
        emit.broadcast(INFER, MODEL_RECORD, tMs, body),
      ),
    )
  }
  const outputs = [scenario.scores.topic, scenario.outcomes.topic].map((topic) => ({
    short: topic.short,
    topic: topic.name,
    codec: createEventCodec<object>(topic.schema as EventSchema<object>, registry),
    type: `rheo.${name}.${topic.schema.name}`,
  }))
  const own = catalogueTopics(scenario, models === null ? [] : [records], stages, partitions)
  const topics = models === null ? own : [...own, modelFilesTopic(name)]
  const bodies = new Map([
    [event.kind, eventCodec],
    [label.kind, jsonCodec],
    [EXAMPLE, exampleCodec],
    [SERVED, servedScoreCodec],
    [MODEL, modelUpdateCodec],
    [MODEL_RECORD, bodyCodec(records.schema, registry)],
    [INFERRED, inferredCodec(eventCodec)],
  ])
  const { after, allowance } = scenario.idle ?? IDLE
  const idleness = { afterMs: parseDurationMs(after), allowanceMs: parseDurationMs(allowance) }
  const watermarks = { maxFutureMs: scenario.maxFutureMs, announceEveryMs: ANNOUNCE_EVERY_MS, idleness }
  const flow = { sources, intakeNext: [firstKey], stages, outputs }
  const topology: Topology = { scenario: name, partitions, ...flow, bodies, topics, ...watermarks }
  checkTopology(topology)
  return topology
}

function source(
  kind: string,
  topic: CatalogueTopic,
  timeField: string,
  watermark: Source['watermark'],
  registry: SchemaRegistry,
  route: Source['route'],
): Source {
  return {
    kind,
    short: topic.short,
    topic: topic.name,
    dlqTopic: dlqTopic(topic.name),
    lateTopic: lateTopic(topic.name),
    codec: createInputCodec<object>(topic.schema as EventSchema<object>, registry, topic.maxRecordBytes),
    eventTimeMs: (body) => (body as Fields)[timeField] as number,
    watermark,
    route,
  }
}

function catalogueTopics(
  scenario: Scenario,
  records: readonly CatalogueTopic[],
  stages: readonly Stage[],
  partitions: number,
): TopicSpec[] {
  const inputs = [scenario.event.topic, scenario.label.topic, ...records]
  const user = [...inputs, scenario.scores.topic, scenario.outcomes.topic]
  const specs: TopicSpec[] = user.map(({ name, cleanup, retentionMs, maxRecordBytes }) => ({
    name,
    partitions,
    cleanup,
    retentionMs,
    maxRecordBytes,
  }))
  for (const { name, maxRecordBytes } of inputs) {
    const side = {
      partitions,
      cleanup: 'delete',
      retentionMs: sideTopicRetentionMs,
      maxRecordBytes: maxRecordBytes + MAX_BLOCK_BYTES + DEAD_LETTER_ROOM_BYTES,
    } as const
    specs.push({ name: dlqTopic(name), ...side }, { name: lateTopic(name), ...side })
  }
  for (const { topic, tasks } of stages) {
    specs.push({
      name: topic,
      partitions: tasks === 'first' ? 1 : partitions,
      cleanup: 'delete',
      retentionMs: null,
      maxRecordBytes: MAX_BLOCK_BYTES,
    })
  }
  return specs
}

/** An event's body between stages: Avro in the Confluent frame, as on its own topic. */
function bodyCodec(schema: EventSchema, registry: SchemaRegistry): BodyCodec {
  const codec = createEventCodec<object>(schema as EventSchema<object>, registry)
  return { encode: (body) => codec.encode(body as object), decode: (bytes) => codec.decode(bytes) }
}

/** Labels on their way back carry the event's fields and the truth; they are few, so JSON does. */
const jsonCodec: BodyCodec = {
  encode: (body) => Buffer.from(JSON.stringify(body)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
}
