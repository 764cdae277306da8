import type { Scenario } from '../scenarios/define-scenario.ts'
import { RheoError } from '../schemas/errors.ts'
import { isModulePath, loadScenario } from './scenario-module.ts'

/**
 * The built-in scenario of this name, or that of a module (`./my-scenario.ts`). Throws USAGE with the names that exist.
 * Loads what it returns: call it late.
 */
export async function scenarioOf(name: string): Promise<Scenario> {
  if (isModulePath(name)) return loadScenario(name)
  const { scenarios } = await import('../scenarios/scenarios.ts')
  const scenario = scenarios.get(name)
  if (scenario !== undefined) return scenario
  throw new RheoError('USAGE', `there is no scenario "${name}"`, {
    hint: `Rheo brings ${[...scenarios.keys()].join(', ')}; a scenario of your own goes by its file, such as ./my-scenario.ts.`,
  })
}
