import type { ModelHosts } from '../scenarios/define-scenario.ts'

/** For commands that look at a topology with models and run none of it. */
export const modelsNotRun: ModelHosts = {
  hostOf(): never {
    throw new Error('this command runs no models')
  },
}
