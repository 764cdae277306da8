import type { Scenario } from '../scenarios/define-scenario.ts'
import { RheoError } from '../schemas/errors.ts'

/** The built-in scenario of this name. Throws USAGE with the names that exist. Loads all of them: call it late. */
export async function scenarioOf(name: string): Promise<Scenario> {
  const { scenarios } = await import('../scenarios/scenarios.ts')
  const scenario = scenarios.get(name)
  if (scenario !== undefined) return scenario
  throw new RheoError('USAGE', `there is no scenario "${name}"`, {
    hint: `Rheo brings ${[...scenarios.keys()].join(', ')}.`,
  })
}
