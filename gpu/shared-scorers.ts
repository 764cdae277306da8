import type { Scorer } from './scorer.ts'

/** Scorers that several users have open at once. */
export interface SharedScorers {
  /**
   * The scorer that is open under this key, else the one that `open` gives; it closes with its last user. Fails as `open` does,
   * for everyone who waits for it; who comes later tries again.
   */
  open(key: string, open: () => Promise<Scorer>): Promise<Scorer>
}

interface Shared {
  readonly scorer: Promise<Scorer>
  users: number
}

export function createSharedScorers(): SharedScorers {
  const byKey = new Map<string, Shared>()

  async function leave(key: string, shared: Shared): Promise<void> {
    if (--shared.users > 0) return
    if (byKey.get(key) === shared) byKey.delete(key)
    await (await shared.scorer).close()
  }

  return {
    async open(key, open) {
      const shared = byKey.get(key) ?? { scorer: open(), users: 0 }
      byKey.set(key, shared)
      shared.users++
      let scorer: Scorer
      try {
        scorer = await shared.scorer
      } catch (error) {
        if (byKey.get(key) === shared) byKey.delete(key)
        throw error
      }
      return { ...scorer, close: () => leave(key, shared) }
    },
  }
}
