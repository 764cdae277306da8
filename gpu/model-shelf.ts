import { RheoError } from '../schemas/errors.ts'
import type { ModelVersion, Scorer, Scores } from './scorer.ts'

/** The loaded versions of one model, one of which serves. Swapping is one assignment between two batches: no gap. */
export interface ModelShelf {
  /** The version that serves; null before the first. */
  serving(): ModelVersion | null
  /** Loads and warms up a version while the present one goes on, then swaps. A version that fails to load changes nothing. */
  swapTo(version: string): Promise<ModelVersion>
  /**
   * Scores with the serving version. If it fails (wrong outputs, a dead device), the version that served before it does,
   * with `degraded` saying why; the failed one stays off until the next `swapTo`. Fails only when no version is left.
   */
  score(features: Float32Array, batch: number): Promise<Scores>
  close(): Promise<void>
}

export interface ShelfOptions {
  /** Opens any version, old ones included: "what served at offset N" can be asked again. */
  readonly load: (version: string) => Promise<Scorer>
  /** Versions kept open behind the serving one, to fall back on. */
  readonly keep?: number
}

export function createModelShelf({ load, keep = 2 }: ShelfOptions): ModelShelf {
  /** Newest last. The last is the serving one. */
  let open: readonly Scorer[] = []
  let failure: RheoError | null = null
  const busy = new Map<Scorer, number>()
  const retired = new Set<Scorer>()

  async function retire(scorer: Scorer): Promise<void> {
    if ((busy.get(scorer) ?? 0) > 0) retired.add(scorer)
    else await scorer.close()
  }

  async function scoreWith(scorer: Scorer, features: Float32Array, batch: number): Promise<Scores> {
    busy.set(scorer, (busy.get(scorer) ?? 0) + 1)
    try {
      return await scorer.score(features, batch)
    } finally {
      const left = (busy.get(scorer) ?? 1) - 1
      busy.set(scorer, left)
      if (left === 0 && retired.delete(scorer)) await scorer.close()
    }
  }

  return {
    serving: () => open.at(-1)?.model ?? null,

    async swapTo(version) {
      const scorer = await load(version)
      const before = open.filter((other) => other.model.version !== version)
      const replaced = open.filter((other) => other.model.version === version)
      const kept = before.slice(Math.max(0, before.length - keep))
      open = [...kept, scorer]
      failure = null
      for (const old of [...before.filter((other) => !kept.includes(other)), ...replaced]) await retire(old)
      return scorer.model
    },

    async score(features, batch) {
      for (;;) {
        const scorer = open.at(-1)
        if (scorer === undefined) {
          throw (
            failure ??
            new RheoError('MODEL_INVALID', 'No model version is loaded.', { hint: 'Add one with `rheo model add`.' })
          )
        }
        try {
          const scores = await scoreWith(scorer, features, batch)
          return failure === null ? scores : { ...scores, degraded: failure }
        } catch (error) {
          if (!(error instanceof RheoError)) throw error
          failure ??= error
          // Another batch may have taken it off already.
          if (open.at(-1) === scorer) {
            open = open.slice(0, -1)
            await retire(scorer)
          }
        }
      }
    },

    async close() {
      const all = open
      open = []
      for (const scorer of all) await retire(scorer)
    },
  }
}
