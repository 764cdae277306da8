import { RheoError } from '../schemas/errors.ts'
import { type CatalogueTopic, dlqTopic, lateTopic, topicName } from '../schemas/topics.ts'
import type { EventLog, TopicSpec } from '../streams/event-log/event-log.ts'
import { topicNamed, topicsOf } from './catalogue.ts'

/**
 * The catalogue's topic that a user means by `payments` (of the scenario) or by a full name. Throws USAGE with the
 * names that exist.
 */
export function catalogueTopicOf(scenario: string, name: string): CatalogueTopic {
  const own = topicsOf(scenario)
  const topic = own.find(({ short }) => short === name) ?? topicNamed(name)
  if (topic !== undefined) return topic
  const known = own.map(({ short }) => short)
  throw new RheoError('USAGE', `the scenario ${scenario} has no topic "${name}"`, {
    hint: known.length > 0 ? `Its topics are ${known.join(', ')}.` : 'Name another scenario with --scenario.',
  })
}

/**
 * The topic of a log that a user means: a full name, a catalogue name (`scores`), a side topic (`payments.dlq`,
 * `payments.late`) or what stands between `rheo.<scenario>.` and `.v1` of any other. Throws TOPIC_MISSING with the
 * names that exist.
 */
export async function topicInLog(log: EventLog, scenario: string, name: string): Promise<TopicSpec> {
  const present = await log.topics()
  const base = name.replace(/\.(dlq|late)$/, '')
  const full = topicName(scenario, base)
  const candidates = [name, topicName(scenario, name)]
  if (name.endsWith('.dlq')) candidates.push(dlqTopic(full))
  if (name.endsWith('.late')) candidates.push(lateTopic(full))
  for (const candidate of candidates) {
    const spec = present.get(candidate)
    if (spec !== undefined) return spec
  }
  const names = [...present.keys()].map((each) => shortName(scenario, each)).sort()
  throw new RheoError('TOPIC_MISSING', `the log has no topic "${name}"`, {
    hint: names.length > 0 ? `It has ${names.join(', ')}.` : 'It is still empty: run `rheo replay` first.',
  })
}

/** `rheo.fraud.payments.v1.dlq` → `payments.dlq`; names of other scenarios stay whole. */
export function shortName(scenario: string, name: string): string {
  const prefix = `rheo.${scenario}.`
  if (!name.startsWith(prefix)) return name
  return name.slice(prefix.length).replace(/\.v\d+(?=$|\.)/, '')
}

/** The catalogue's entry that tells how the records of a topic are read: its own, or that of the topic whose side topic it is. */
export function catalogueEntryOf(name: string): CatalogueTopic | undefined {
  const base = name.replace(/\.(dlq|late)$/, '')
  return topicNamed(base)
}
