import type { Scenario } from '../scenarios/define-scenario.ts'
import { RheoError } from '../schemas/errors.ts'
import { addToCatalogue, loadedScenario } from './catalogue.ts'
import { isModulePath, loadScenario } from './scenario-module.ts'

/**
 * The built-in scenario of this name, or that of a module (`./my-scenario.ts`). Throws USAGE with the names that exist.
 * Loads what it returns: call it late.
 */
export async function scenarioOf(name: string): Promise<Scenario> {
  if (isModulePath(name)) {
    const own = await loadScenario(name)
    addToCatalogue(own, name)
    return own
  }
  const own = loadedScenario(name)
  if (own !== undefined) return own
  const { scenarios } = await import('../scenarios/scenarios.ts')
  const scenario = scenarios.get(name)
  if (scenario !== undefined) return scenario
  throw new RheoError('USAGE', `there is no scenario "${name}"`, {
    hint: `Rheo brings ${[...scenarios.keys()].join(', ')}; a scenario of your own goes by its file, such as ./my-scenario.ts.`,
  })
}

/** Loads the module of `--scenario ./my-scenario.ts` before a command is told; it hears the scenario's name instead. */
export async function withScenarioName(args: readonly string[]): Promise<readonly string[]> {
  const named: string[] = []
  for (let i = 0; i < args.length; i++) {
    const [flag, joined] = args[i]!.split('=', 2)
    const path = flag !== '--scenario' ? undefined : (joined ?? args[++i])
    if (path === undefined) named.push(args[i]!)
    else named.push('--scenario', isModulePath(path) ? (await scenarioOf(path)).name : path)
  }
  return named
}
