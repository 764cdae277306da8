/** Why a worker is not ready; the closed list that `/readyz` answers with. */
export type Concern = 'starting' | 'recovering' | 'log away' | 'state away' | 'registry away' | 'draining' | 'failed'

export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly { readonly reason: Concern; readonly detail: string }[]
  /** What works, but not as well as it should: a model that does not score, a device that failed. */
  readonly degraded: readonly string[]
}

/** A worker that has neither folded nor restored anything, nor finished a pass, for so long hangs. */
const HANGS_AFTER_MS = 120_000

/** What a worker knows about its own state, for `/livez`, `/readyz` and the log. */
export class Health {
  readonly #concerns = new Map<Concern, string>()
  readonly #degraded = new Map<string, string>()
  readonly #now: () => number
  #movedMs: number
  #isWorking = false

  /** @param now monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now
    this.#movedMs = now()
  }

  raise(reason: Concern, detail: string): void {
    this.#concerns.set(reason, detail)
  }

  clear(...reasons: readonly Concern[]): void {
    for (const reason of reasons) this.#concerns.delete(reason)
  }

  degrade(what: string, detail: string): void {
    this.#degraded.set(what, detail)
  }

  /** Everything works as well as it should. */
  restore(): void {
    this.#degraded.clear()
  }

  /** Something got on. */
  moved(): void {
    this.#isWorking = true
    this.#movedMs = this.#now()
  }

  /** When something last got on, by `now`. */
  get movedMs(): number {
    return this.#movedMs
  }

  /** Waits for a server, or is done: it cannot hang. */
  rests(): void {
    this.#isWorking = false
  }

  readiness(): Readiness {
    const reasons = [...this.#concerns].map(([reason, detail]) => ({ reason, detail }))
    const degraded = [...this.#degraded].map(([what, detail]) => `${what}: ${detail}`)
    return { ready: reasons.length === 0, reasons, degraded }
  }

  /** null: alive. */
  hanging(): string | null {
    const idleMs = this.#now() - this.#movedMs
    return this.#isWorking && idleMs > HANGS_AFTER_MS ? `nothing has moved for ${Math.round(idleMs / 1000)} s` : null
  }
}
