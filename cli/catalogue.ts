import type { Scenario } from '../scenarios/define-scenario.ts'
import { registeredSchemas } from '../schemas/generated/registered.ts'
import { type CatalogueTopic, modelTopic, topics } from '../schemas/topics.ts'
import { createLocalRegistry, type SchemaRegistry } from '../streams/codec/schema-registry.ts'

/** Scenarios that this process has loaded from users' modules, by name. */
const loaded = new Map<string, Scenario>()
/** The paths of those modules, as they were given. */
const modules = new Map<string, string>()

/** From now on, commands know the scenario and its topics by name. */
export function addToCatalogue(scenario: Scenario, path: string): void {
  loaded.set(scenario.name, scenario)
  modules.set(scenario.name, path)
}

/** How a command line names the scenario: by the path of its module, or by its name. */
export function calledOf(scenario: string): string {
  return modules.get(scenario) ?? scenario
}

export function loadedScenario(name: string): Scenario | undefined {
  return loaded.get(name)
}

/** The topics of a scenario, built in or loaded, inputs first; empty where nobody knows it. */
export function topicsOf(scenario: string): readonly CatalogueTopic[] {
  const own = loaded.get(scenario)
  if (own === undefined) return topics.filter((topic) => topic.scenario === scenario)
  return [own.event, own.label, own.scores, own.outcomes].map(({ topic }) => topic).concat(modelTopic(scenario))
}

/** A topic by its full name, of whichever scenario. */
export function topicNamed(name: string): CatalogueTopic | undefined {
  const all = [...topics, ...[...loaded.keys()].flatMap(topicsOf)]
  return all.find((topic) => topic.name === name)
}

/** The ids of this version's schemas, and of those that a loaded scenario brings. */
export function localRegistry(scenario: string): SchemaRegistry {
  const own = topicsOf(scenario).map(({ schema }) => schema)
  return createLocalRegistry([...registeredSchemas, ...(loaded.get(scenario)?.schemas ?? [])], own)
}
