import { parseDurationMs } from '../processors/duration.ts'
import type { FeatureDeclaration } from '../processors/features/declare.ts'
import { RheoError } from '../schemas/errors.ts'
import type { AvroField, AvroType, EventSchema } from '../schemas/event-schema.ts'
import type { Scenario } from './define-scenario.ts'

const NUMERIC: readonly AvroType[] = ['int', 'long', 'float', 'double', 'boolean']

/** The numbers and booleans that every event of a schema has, its time left out. */
export function requiredNumbers({ avro }: EventSchema): readonly string[] {
  return avro.fields.filter(({ name, type }) => NUMERIC.includes(type) && name !== 'eventTime').map(({ name }) => name)
}

/** Throws CONFIG_INVALID with the name of what does not fit, before anything runs. */
export function checkDeclaration(scenario: Scenario): void {
  const { name, event, label, arms, evaluation } = scenario
  const wrong = (what: string, hint: string): never => {
    throw new RheoError('CONFIG_INVALID', `scenario "${name}": ${what}`, { hint })
  }
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    wrong('its name is part of topic names', 'Use small letters, digits and hyphens, and begin with a letter.')
  }
  checkDurations(scenario)
  requireField(scenario, event.topic.schema, event.id, ['string'], 'event.id')
  requireField(scenario, event.topic.schema, event.amount, NUMERIC, 'event.amount')
  requireField(scenario, event.topic.schema, event.topic.keyField, ['string'], 'event.topic.keyField')
  requireField(scenario, label.topic.schema, event.id, ['string'], 'the label, like the event, event.id')
  requireField(scenario, label.topic.schema, label.truth, ['boolean'], 'label.truth')
  for (const field of event.numbers) requireField(scenario, event.topic.schema, field, NUMERIC, 'event.numbers')
  for (const schema of [event.topic.schema, label.topic.schema]) {
    if (fieldOf(schema, event.time) === undefined) {
      wrong(`events of kind "${schema.name}" have no field ${event.time}`, 'Every event has its time in milliseconds.')
    }
  }
  const [first] = scenario.featureSet.entities
  if (first === undefined) {
    throw new RheoError('CONFIG_INVALID', `scenario "${name}" declares no feature by an entity`, {
      hint: 'Give at least one feature a key, e.g. count().by("customerId").over("24 h").',
    })
  }
  for (const { keyField } of scenario.featureSet.entities) {
    const field = fieldOf(event.topic.schema, keyField)
    if (field === undefined)
      wrong(`features are kept by "${keyField}", which no event has`, knownFields(event.topic.schema))
  }
  requireField(scenario, event.topic.schema, first.keyField, ['string'], 'the key of the first feature')
  checkFields(scenario)
  if (arms.length === 0) wrong('it has no arm', "Give one, e.g. arms: [{ name: 'learning' }].")
  if (new Set(arms.map((arm) => arm.name)).size < arms.length) wrong('two arms have one name', 'Name each differently.')
  if (evaluation !== undefined && !(evaluation.targetFpr > 0 && evaluation.targetFpr < 1)) {
    wrong(`evaluation.targetFpr is ${evaluation.targetFpr}`, 'It is a share between 0 and 1, such as 0.012.')
  }
}

function checkDurations({ name, grace, duplicatesWithin, label, idle, arms }: Scenario): void {
  const durations: readonly (readonly [what: string, text: string | undefined])[] = [
    ['grace', grace],
    ['duplicatesWithin', duplicatesWithin],
    ['label.horizon', label.horizon],
    ['label.correction', label.correction],
    ['idle.after', idle?.after],
    ['idle.allowance', idle?.allowance],
    ...arms.map((arm) => [`learnsFor of ${arm.name}`, arm.learnsFor] as const),
  ]
  for (const [what, text] of durations) {
    try {
      if (text !== undefined) parseDurationMs(text)
    } catch (cause) {
      throw new RheoError('CONFIG_INVALID', `scenario "${name}": ${what} is "${text}", which is no duration`, {
        hint: 'Write a number and a unit, such as 15 min, 24 h or 30 d.',
        cause,
      })
    }
  }
}

/** Features of the scored event or its label read fields that are there. */
function checkFields({ name, event, label, features }: Scenario): void {
  for (const { spec } of features) {
    for (const [field, kind] of fieldsRead(spec, event.kind)) {
      // A label that comes back to an entity carries the event's fields, too.
      const schemas = kind === label.kind ? [label.topic.schema, event.topic.schema] : [event.topic.schema]
      if (kind !== event.kind && kind !== label.kind) {
        throw new RheoError('CONFIG_INVALID', `scenario "${name}": a feature counts events of kind "${kind}"`, {
          hint: `Its kinds are ${event.kind} and ${label.kind}.`,
        })
      }
      if (schemas.some((schema) => fieldOf(schema, field) !== undefined)) continue
      throw new RheoError(
        'CONFIG_INVALID',
        `scenario "${name}": a feature reads "${field}" of "${kind}", which has none`,
        {
          hint: knownFields(schemas[0]!),
        },
      )
    }
  }
}

function fieldsRead(
  spec: FeatureDeclaration['spec'],
  mainKind: string,
): readonly (readonly [field: string, kind: string])[] {
  if (spec.kind === 'value') return [[spec.field, mainKind]]
  if (spec.kind !== 'entity') return []
  const fields = spec.where?.kind === 'field' ? [...spec.fields, spec.where.field] : spec.fields
  return fields.map((field) => [field, spec.of ?? mainKind] as const)
}

function requireField(
  { name }: Scenario,
  schema: EventSchema,
  field: string,
  types: readonly AvroType[],
  what: string,
): void {
  const found = fieldOf(schema, field)
  if (found !== undefined && types.includes(found.type)) return
  const problem = found === undefined ? 'which is not there' : 'which may be missing or has another type'
  throw new RheoError('CONFIG_INVALID', `scenario "${name}": ${what} is "${field}" of "${schema.name}", ${problem}`, {
    hint: `It has to be a field of type ${types.join(' or ')}. ${knownFields(schema)}`,
  })
}

function fieldOf({ avro }: EventSchema, name: string): AvroField | undefined {
  return avro.fields.find((field) => field.name === name)
}

function knownFields({ name, avro }: EventSchema): string {
  return `The fields of ${name} are ${avro.fields.map((field) => field.name).join(', ')}.`
}
