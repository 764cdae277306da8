import type { Scenario } from './define-scenario.ts'
import { fraud } from './fraud/fraud.ts'

/** The built-in scenarios, by name. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([[fraud.name, fraud]])
