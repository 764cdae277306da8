import { RheoError } from '../schemas/errors.ts'
import type { ModelVersion, Scorer, Scores } from './scorer.ts'

/** The loaded versions of one model, one of which serves. Swapping is one assignment between two batches: no gap. */
export interface ModelShelf {
  /** The version that serves; null before the first. */
  serving(): ModelVersion | null
  /** The runs of the version that serves leave this thread free. */
  runsBeside(): boolean
  /** Loads and warms up a version while the present one goes on, then swaps. A version that fails to load changes nothing. */
  swapTo(version: string): Promise<ModelVersion>
  /**
   * Scores with the serving version. If its outputs are wrong, the version that served before it does; if its device died, the
   * same version does, loaded by `loadElsewhere`. `degraded` says why, until the next `swapTo`. Fails only when no version is left.
   */
  score(features: Float32Array, batch: number): Promise<Scores>
  close(): Promise<void>
}

interface ShelfOptions {
  /** Opens any version, old ones included: "what served at offset N" can be asked again. */
  readonly load: (version: string) => Promise<Scorer>
  /** Opens a version where no device can die: on the CPU. Without it a dead device is taken like wrong outputs. */
  readonly loadElsewhere?: (version: string) => Promise<Scorer>
  /** Versions kept open behind the serving one, to fall back on. */
  readonly keep?: number
}

export function createModelShelf({ load, loadElsewhere, keep = 2 }: ShelfOptions): ModelShelf {
  /** Newest last. The last is the serving one. */
  let open: readonly Scorer[] = []
  let failure: RheoError | null = null
  const busy = new Map<Scorer, number>()
  const retired = new Set<Scorer>()
  const replacing = new Map<Scorer, Promise<void>>()
  const elsewhere = new WeakSet<Scorer>()
  const failed = new WeakSet<Scorer>()

  async function retire(scorer: Scorer): Promise<void> {
    if ((busy.get(scorer) ?? 0) > 0) retired.add(scorer)
    else await end(scorer)
  }

  /** What a scorer on a dead device says when it is closed concerns nobody. */
  async function end(scorer: Scorer): Promise<void> {
    await scorer.close().catch((error: unknown) => {
      if (!failed.has(scorer)) throw error
    })
  }

  async function scoreWith(scorer: Scorer, features: Float32Array, batch: number): Promise<Scores> {
    busy.set(scorer, (busy.get(scorer) ?? 0) + 1)
    try {
      return await scorer.score(features, batch)
    } finally {
      const left = (busy.get(scorer) ?? 1) - 1
      busy.set(scorer, left)
      if (left === 0 && retired.delete(scorer)) await end(scorer)
    }
  }

  /** Takes a scorer that failed off; batches that failed with it together wait for one and the same replacement. */
  function replace(scorer: Scorer, error: RheoError): Promise<void> {
    const known = replacing.get(scorer)
    if (known !== undefined) return known
    // Another batch may have taken it off already.
    if (!open.includes(scorer)) return Promise.resolve()
    failure ??= error
    failed.add(scorer)
    const done = (async () => {
      const other =
        error.code === 'PROVIDER_UNAVAILABLE' && !elsewhere.has(scorer)
          ? await openElsewhere(scorer.model.version)
          : null
      if (other !== null && !open.includes(scorer)) await other.close()
      else open = open.flatMap((one) => (one !== scorer ? [one] : other === null ? [] : [other]))
      await retire(scorer)
    })().finally(() => replacing.delete(scorer))
    replacing.set(scorer, done)
    return done
  }

  async function openElsewhere(version: string): Promise<Scorer | null> {
    if (loadElsewhere === undefined) return null
    try {
      const scorer = await loadElsewhere(version)
      elsewhere.add(scorer)
      return scorer
    } catch (error) {
      // It does not load there either: the version before it serves, and `failure` still names the dead device.
      if (error instanceof RheoError) return null
      throw error
    }
  }

  return {
    serving: () => open.at(-1)?.model ?? null,
    runsBeside: () => open.at(-1)?.runsBeside === true,

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
          await replace(scorer, error)
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
