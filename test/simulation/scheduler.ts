import { setImmediate as untilAllWait } from 'node:timers/promises'
import { createRandom, type Random } from '../../processors/random.ts'

/** Thrown at a point where the simulated process dies: nothing that it does afterwards has any effect. */
export class Crash extends Error {
  constructor() {
    super('the simulated process died')
    this.name = 'Crash'
  }
}

/** What a point does to who has come there: it goes on, dies, or its call fails (before or after it took effect). */
export type Verdict = 'go on' | 'die' | 'fail'

/** A call that waits. */
interface Waiting {
  readonly what: string
  readonly go: (verdict: Verdict) => void
}

/** One simulated process; several of its calls may wait at the same time, one of each task. */
export interface Actor {
  readonly name: string
  waiting: Waiting[]
  /** Not let on before this step: a process that was stopped (SIGSTOP), or is down. */
  frozenUntil: number
  isEnded: boolean
  /** Inside a bracket that keeps all others from the log (SQLite's write transaction). */
  isExclusive: boolean
}

/**
 * Runs actors call by call, in an order that depends on the seed alone: every call of an adapter waits at a point, and
 * which one goes on next is drawn. What lies between two points takes no time.
 */
export class Scheduler {
  readonly random: Random
  readonly actors: Actor[] = []
  step = 0
  #failure: { readonly error: unknown } | null = null

  constructor(seed: number) {
    this.random = createRandom(seed, 0)
  }

  /** Starts an actor; it has come to its first point when this returns. */
  async start(name: string, run: (actor: Actor) => Promise<void>): Promise<Actor> {
    const actor: Actor = { name, waiting: [], frozenUntil: 0, isEnded: false, isExclusive: false }
    this.actors.push(actor)
    run(actor)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        actor.isEnded = true
      })
    await this.#settle()
    return actor
  }

  /** Waits here until the scheduler lets this call on. Throws `Crash` when its process dies. */
  async point(actor: Actor, what: string): Promise<'go on' | 'fail'> {
    const verdict = await new Promise<Verdict>((go) => actor.waiting.push({ what, go }))
    if (verdict === 'die') throw new Crash()
    return verdict
  }

  /** Who can go on now. */
  ready(): Actor[] {
    const waiting = this.actors.filter((actor) => actor.waiting.length > 0)
    const exclusive = waiting.filter((actor) => actor.isExclusive)
    return (exclusive.length > 0 ? exclusive : waiting).filter(({ frozenUntil }) => frozenUntil <= this.step)
  }

  /** Lets a call of this actor on, as `judge` says, until everybody waits again. All calls of a process die together. */
  async release(actor: Actor, judge: (what: string) => Verdict): Promise<void> {
    this.step++
    const { waiting } = actor
    const call = waiting[waiting.length === 1 ? 0 : this.random.below(waiting.length)]!
    const verdict = judge(call.what)
    if (verdict === 'die') {
      actor.waiting = []
      for (const { go } of waiting) go('die')
    } else {
      waiting.splice(waiting.indexOf(call), 1)
      call.go(verdict)
    }
    await this.#settle()
  }

  /** Between points there are promises only, no timers, so all have come to a point when the event loop turns. */
  async #settle(): Promise<void> {
    await untilAllWait()
    if (this.#failure !== null) throw this.#failure.error
  }
}
